"""The rule of verdicts: INVALID, then FAIL, then INCONCLUSIVE, then PASS.

FAIL by Holm over finding x side. A claim gives findings, and as data the objections of its controls and calibration.
`judge` decides by the findings on one model alone, `decide` by the objections too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Literal, TypeVar

import numpy as np

from pytest_unlearn.claims.common import advice as what_next
from pytest_unlearn.core.evidence import Claim, Controls, Estimate, Side, Verdict, most_severe
from pytest_unlearn.statistics import Measure, holm, p_value

Role = Literal["decides", "bounded", "tripwire"]


@dataclass(frozen=True, slots=True)
class FailureKind:
    """Name of a failure on one side, and the advice on it."""

    label: str
    advice: str


RECOGNISABLE, OVER_FORGOTTEN, CONSPICUOUS = (FailureKind(label, step) for label, step in what_next.LEAK.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """A named number of the evidence, and what PASS asks of it.

    PASS needs what "decides" or is "bounded" within its limits, and names one that decides; a "tripwire" can only FAIL.
    """

    name: str
    estimate: Estimate
    role: Role = "decides"

    @property
    def deciding(self) -> bool:
        """Whether PASS depends on it and names it."""
        return self.role == "decides"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding(Reported):
    """One quantity of one model, and what follows where it lies beyond the limits.

    `estimate` is the measure at the audit's confidence. `failures` names the failure on each side that can make the
    verdict FAIL. `problem` says why the finding cannot be interpreted. A `one_sided` one withholds PASS on the low side
    by its value alone. `tested`, if not `measure`, has to be beyond the limits for a FAIL; `limits` are the finding's
    own where a claim has several. `summary` is the finding in words.
    """

    measure: Measure
    failures: Mapping[Side, FailureKind] = field(default_factory=dict)
    problem: str = ""
    summary: str = ""
    one_sided: bool = False
    tested: Measure | None = None
    limits: Claim | None = None

    def accuses(self, claim: Claim) -> dict[Side, float]:
        """Return the limit on each side beyond which it makes the verdict FAIL."""
        limits = self.limits or claim
        ends: dict[Side, float | None] = {"high": limits.highest, "low": limits.lowest}
        asked = self.failures if not self.problem else ()
        return {side: limit for side in asked if (limit := ends[side]) is not None}


R = TypeVar("R", bound=Reported, covariant=True)
F = TypeVar("F", bound=Finding)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision(Generic[R]):
    """A verdict, what led to it, and the finding that settled it.

    `needed` is the number of forget examples that would settle an INCONCLUSIVE one, None if no number of them.
    """

    verdict: Verdict
    finding: R
    limits: Claim
    label: str = ""
    reasons: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    needed: int | None = None

    def withhold_pass(self, doubt: Objection) -> Decision[R]:
        """Return the decision with a PASS made INCONCLUSIVE; any other verdict stands."""
        if self.verdict is not Verdict.PASS:
            return self
        return replace(self, verdict=doubt.verdict, reasons=(*doubt.reasons, *self.reasons), advice=doubt.advice)


@dataclass(frozen=True, slots=True)
class Objection:
    """An objection: the best verdict it allows (PASS: a note), why, and advice."""

    reasons: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    verdict: Verdict = Verdict.INCONCLUSIVE
    label: str = ""


@dataclass(frozen=True, slots=True)
class Wording:
    """Sentences for a finding beyond its limit, a spared one, and an unsettled one.

    Empty for no sentence. The sentences may name the `finding`, its `limits`, and the `label` and `side` of a failure.
    """

    beyond: str = (
        "{label}: {finding.name} is beyond the limit on the {side} side, with Holm's correction over all attacks"
    )
    spared: str = (
        "{finding.name} is beyond the limit on the {side} side, as of a model that is {label} and as of an honest one "
        "that finds this request harder than its controls: without references nothing tells them apart"
    )
    unsettled: str = "the interval of {finding.name} reaches beyond the limit, but not with certainty"


def judge(
    findings: Sequence[F],
    claim: Claim,
    confidence: float,
    *,
    wording: Wording = Wording(),
    foremost: Callable[[F], Any] | None = None,
    certifiable: bool = True,
    counted: bool = False,
    spared: Collection[Side] = (),
) -> Decision[F]:
    """Judge one model by its findings alone, before any control.

    Args:
        findings: at least one of them deciding.
        claim: the limits of every finding that has none of its own.
        confidence: of a FAIL, over all findings and sides together.
        wording: of the reasons.
        foremost: what the finding that names a failure is largest in; by default the surest names it.
        certifiable: whether so many examples can show at all that a quantity is within these limits.
        counted: whether more examples settle what reaches beyond the limits.
        spared: sides on which an honest model may lie beyond the limits too: there PASS is withheld, and no FAIL said.
    """

    def settled(verdict: Verdict, finding: F, reason: str = "", *advice: str, label: str = "") -> Decision[F]:
        limits, reasons = finding.limits or claim, (reason,) if reason else ()
        return Decision(verdict=verdict, finding=finding, limits=limits, label=label, reasons=reasons, advice=advice)

    required = [finding for finding in findings if finding.role != "tripwire"]
    for finding in required:
        if finding.problem:
            return settled(Verdict.INVALID, finding, finding.problem, what_next.SCORES_INVALID)
    beyond = _beyond(findings, claim, 1 - confidence)
    accused = [one for one in beyond if one[1] not in spared]
    if beyond:
        finding, side, _ = max(accused or beyond, key=lambda one: -one[2] if foremost is None else foremost(one[0]))
        failure, limits = finding.failures[side], finding.limits or claim
        said = wording.beyond if accused else wording.spared
        sentence = said.format(finding=finding, side=side, label=failure.label, limits=limits)
        if not accused:
            return settled(Verdict.INCONCLUSIVE, finding, sentence, what_next.HOW_HARD)
        return settled(Verdict.FAIL, finding, sentence, failure.advice, label=failure.label)
    worst = max(required, key=lambda finding: excess(finding, claim))
    if excess(worst, claim) > 0 or not certifiable:
        sentence = "so few forget examples cannot certify this limit, whatever the model"
        limits = worst.limits or claim
        if excess(worst, claim) > 0:
            sentence = wording.unsettled.format(finding=worst, limits=limits)
        needed = what_next.needed_examples(worst.estimate, limits.lowest, limits.highest) if counted else None
        return replace(settled(Verdict.INCONCLUSIVE, worst, sentence), needed=needed)
    deciding = [finding for finding in findings if finding.deciding]
    # What is shown bears PASS out: not the low end of a one-sided finding, which PASS does not rest on.
    within = [finding for finding in deciding if (finding.limits or claim).excess(finding.estimate) <= 0]
    return settled(Verdict.PASS, max(within or deciding, key=lambda finding: excess(finding, claim)))


def excess(finding: Finding, claim: Claim) -> float:
    """Return how far beyond its limits a finding may lie, at most 0 for PASS.

    A deviation is one-sided: being nearer to the references than controls are is over-forgetting only if it is certain
    (then it FAILs), but an estimate beyond the limit is enough to withhold PASS.
    """
    estimate = finding.estimate
    return (finding.limits or claim).excess(replace(estimate, low=estimate.value) if finding.one_sided else estimate)


def decide(
    judged: Decision[R],
    *,
    vetoes: Sequence[Objection] = (),
    before: Sequence[Objection] = (),
    advice: Sequence[str] = (),
    doubts: Sequence[Objection] = (),
    scope: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> Decision[R]:
    """Decide by the first of: no information, vetoes, FAILs, doubts.

    Args:
        judged: what the findings say by themselves.
        vetoes: objections that outrank a FAIL, such as a failed negative control.
        before: doubts that are named before the findings' own.
        advice: what settles findings that reach beyond the limits.
        doubts: objections that withhold a PASS; the most severe counts, and of those that leave INCONCLUSIVE all.
        scope: reasons that come first whatever the verdict.
        notes: reasons that come last whatever the verdict.
    """
    own = [Objection(judged.reasons, judged.advice or tuple(advice), judged.verdict, judged.label)]
    stages: tuple[Sequence[Objection], ...] = (
        own if judged.verdict is Verdict.INVALID else (),
        vetoes,
        own if judged.verdict is Verdict.FAIL else (),
        [*before, *(own if judged.verdict is Verdict.INCONCLUSIVE else ()), *doubts],
    )
    heard = next((_heard(stage) for stage in stages if stage), Objection(verdict=Verdict.PASS))
    return replace(
        judged,
        verdict=heard.verdict,
        label=heard.label,
        reasons=(*scope, *heard.reasons, *notes),
        advice=tuple(dict.fromkeys(heard.advice)),
        needed=judged.needed if heard.verdict is Verdict.INCONCLUSIVE else None,
    )


def doubt(reason: str, *advice: str) -> Objection:
    """Return an objection that withholds PASS."""
    return Objection((reason,), advice)


def invalid(reason: str, *advice: str) -> Objection:
    """Return an objection that makes the audit INVALID."""
    return Objection((reason,), advice, Verdict.INVALID)


def failed_negative_control(controls: Controls, *advice: str) -> list[Objection]:
    """Return the veto of the first reference that does not hold, if there is one."""
    failed = [control for control in controls.retrained if not control.holds]
    return [invalid(f"the negative control fails: {failed[0].summary}", *advice)] if failed else []


NO_POSITIVE = "there is no original model, which would show that the attacks see memory here (no positive control)"
NO_NEGATIVE = "to show that the attacks spare models that never saw the data (no negative control)"


def missing_controls(
    controls: Controls, require_controls: bool, no_power: Sequence[str] = what_next.NO_POWER, no_negative: str = ""
) -> list[Objection]:
    """Return doubts about an unrecognised or missing original and references."""
    found = []
    if controls.original is not None and not controls.original.holds:
        found.append(doubt(f"not testable here: {controls.original.summary}", *no_power))
    if require_controls and controls.original is None:
        found.append(doubt(NO_POSITIVE, what_next.NO_ORIGINAL))
    if require_controls and no_negative:
        found.append(doubt(f"{no_negative}, {NO_NEGATIVE}", what_next.NO_REFERENCES))
    return found


def controls_waived(require_controls: bool) -> tuple[str, ...]:
    """Return the note that a caller did without controls."""
    return () if require_controls else ("require_controls=False: missing controls were accepted by the caller",)


def _heard(objections: Sequence[Objection]) -> Objection:
    """Return the first of the most severe objections, or all if all are doubts."""
    verdict = most_severe(one.verdict for one in objections)
    if verdict.severity > Verdict.INCONCLUSIVE.severity:
        return next(one for one in objections if one.verdict is verdict)
    reasons = tuple(reason for one in objections for reason in one.reasons)
    return Objection(reasons, tuple(step for one in objections for step in one.advice), verdict)


def _beyond(findings: Sequence[F], claim: Claim, alpha: float) -> list[tuple[F, Side, float]]:
    """Return findings surely beyond their limits, with side and p-value (Holm)."""
    tried = [(finding, side, limit) for finding in findings for side, limit in finding.accuses(claim).items()]
    adjusted = holm(np.array([p_value(one.tested or one.measure, limit, side) for one, side, limit in tried]))
    return [(one, side, p) for (one, side, _), p in zip(tried, adjusted.tolist(), strict=True) if p <= alpha]
