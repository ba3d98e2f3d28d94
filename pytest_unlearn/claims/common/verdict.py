"""The one rule of verdicts: INVALID, then FAIL (Holm over finding x side), then INCONCLUSIVE, then PASS.

A claim measures findings, and says as data what its controls and its calibration object to. `judge` settles what the
findings of one model say by themselves, `decide` what is left of it once the objections are heard.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Literal, TypeVar

import numpy as np

from pytest_unlearn.claims.common import advice as then
from pytest_unlearn.core.evidence import Claim, Controls, Estimate, Side, Verdict, most_severe
from pytest_unlearn.statistics import Measure, holm, p_value

Role = Literal["decides", "bounded", "tripwire"]


@dataclass(frozen=True, slots=True)
class Fault:
    """What a failure on one side is called, and what to do about it."""

    label: str
    advice: str


RECOGNISABLE, OVER_FORGOTTEN, CONSPICUOUS = (Fault(label, advice) for label, advice in then.LEAK.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One quantity of one model, and what follows where it lies beyond the limits.

    `estimate` is the measure at the audit's confidence. `faults` names the failure on each side that can make the
    verdict FAIL. PASS needs a finding that "decides" or is "bounded" within the limits and names one that decides; a
    "tripwire" can only FAIL. `problem` says why the finding cannot be interpreted, empty if it can. A `one_sided` one
    withholds PASS on the low side by its value alone. `tested`, if not `measure`, is what has to be beyond the limits
    for a FAIL; `limits` are the finding's own where a claim has several.
    """

    name: str
    measure: Measure
    estimate: Estimate
    faults: Mapping[Side, Fault] = field(default_factory=dict)
    role: Role = "decides"
    problem: str = ""
    summary: str = ""
    one_sided: bool = False
    tested: Measure | None = None
    limits: Claim | None = None

    @property
    def deciding(self) -> bool:
        """Whether PASS depends on it and names it."""
        return self.role == "decides"


F = TypeVar("F", bound=Finding)


@dataclass(frozen=True, slots=True)
class Wording:
    """How a claim says that a finding is beyond its limit, and that it is not settled; empty for no sentence.

    The sentences may name the `finding`, its `limits`, and the `label` and `side` of a failure.
    """

    beyond: str = (
        "{label}: {finding.name} is beyond the limit on the {side} side, with Holm's correction over all attacks"
    )
    unsettled: str = "the interval of {finding.name} reaches beyond the limit, but not with certainty"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement(Generic[F]):
    """What the findings on one model say by themselves, and the finding that settled it."""

    verdict: Verdict
    finding: F
    limits: Claim
    label: str = ""
    reason: str = ""
    advice: str = ""

    @property
    def needed(self) -> int | None:
        """The forget examples that would settle an INCONCLUSIVE judgement; None if no number of them."""
        if self.verdict is not Verdict.INCONCLUSIVE:
            return None
        return then.needed_examples(self.finding.estimate, self.limits.lowest, self.limits.highest)


@dataclass(frozen=True, slots=True)
class Objection:
    """What stands against the findings: the best verdict that it leaves, why, and what to do. PASS makes it a note."""

    reasons: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    verdict: Verdict = Verdict.INCONCLUSIVE
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The verdict once every objection is heard, what led to it, and the estimate that decided."""

    verdict: Verdict
    estimate: Estimate
    decided_by: str
    label: str = ""
    reasons: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    needed: int | None = None

    def withhold_pass(self, objection: Objection) -> Decision:
        """Return the decision with a PASS made what the objection leaves; any other verdict stands."""
        if self.verdict is not Verdict.PASS:
            return self
        reasons, advice = (*objection.reasons, *self.reasons), (*objection.advice, *self.advice)
        return replace(self, verdict=objection.verdict, reasons=reasons, advice=advice)


def judge(
    findings: Sequence[F],
    claim: Claim,
    confidence: float,
    *,
    wording: Wording = Wording(),
    foremost: Callable[[F], Any] | None = None,
    certifiable: bool = True,
) -> Judgement[F]:
    """Judge one model by its findings alone, before any control.

    Args:
        findings: at least one of them deciding.
        claim: the limits of every finding that has none of its own.
        confidence: of a FAIL, over all findings and sides together.
        wording: of the reasons.
        foremost: what the finding that names a failure is largest in; by default the one that is surest.
        certifiable: whether so many examples can show at all that a quantity is within these limits.
    """

    def settled(verdict: Verdict, finding: F, reason: str = "", fault: Fault | None = None) -> Judgement[F]:
        label, advice = ("", "") if fault is None else (fault.label, fault.advice)
        limits = finding.limits or claim
        return Judgement(verdict=verdict, finding=finding, limits=limits, label=label, reason=reason, advice=advice)

    required = [finding for finding in findings if finding.role != "tripwire"]
    for finding in required:
        if finding.problem:
            return replace(settled(Verdict.INVALID, finding, finding.problem), advice=then.SCORES_INVALID)
    beyond = _beyond(findings, claim, 1 - confidence)
    if beyond:
        finding, side, _ = max(beyond, key=lambda one: -one[2] if foremost is None else foremost(one[0]))
        fault = finding.faults[side]
        says = wording.beyond.format(finding=finding, side=side, label=fault.label, limits=finding.limits or claim)
        return settled(Verdict.FAIL, finding, says, fault)
    worst = max(required, key=lambda finding: excess(finding, claim))
    if excess(worst, claim) > 0:
        says = wording.unsettled.format(finding=worst, limits=worst.limits or claim)
        return settled(Verdict.INCONCLUSIVE, worst, says)
    if not certifiable:
        says = "so few forget examples cannot certify this limit, whatever the model"
        return settled(Verdict.INCONCLUSIVE, worst, says)
    deciding = (finding for finding in findings if finding.deciding)
    return settled(Verdict.PASS, max(deciding, key=lambda finding: excess(finding, claim)))


def excess(finding: Finding, claim: Claim) -> float:
    """Return how far beyond its limits a finding may lie; PASS needs it to be at most 0.

    A deviation is one-sided: being nearer to the references than controls are is over-forgetting only if it is certain
    (then it FAILs), but an estimate beyond the limit is enough to withhold PASS.
    """
    estimate = finding.estimate
    return (finding.limits or claim).excess(replace(estimate, low=estimate.value) if finding.one_sided else estimate)


def decide(
    judgement: Judgement[F],
    *,
    vetoes: Sequence[Objection] = (),
    before: Sequence[Objection] = (),
    advice: Sequence[str] = (),
    doubts: Sequence[Objection] = (),
    scope: Sequence[str] = (),
    notes: Sequence[str] = (),
    needed: int | None = None,
) -> Decision:
    """Decide: findings that say nothing, vetoes, findings that FAIL, doubts; the first of these that there is.

    Args:
        judgement: what the findings say by themselves.
        vetoes: objections that outrank a FAIL, such as a failed negative control.
        before: doubts that are named before the findings' own.
        advice: what settles findings that reach beyond the limits.
        doubts: objections that withhold a PASS; the most severe counts, and of those that leave INCONCLUSIVE all.
        scope: reasons that come first whatever the verdict.
        notes: reasons that come last whatever the verdict.
        needed: the number of examples that would settle findings that reach beyond the limits.
    """
    own = Objection((judgement.reason,) if judgement.reason else (), (judgement.advice,), judgement.verdict)
    own = replace(own, label=judgement.label, advice=own.advice if judgement.advice else tuple(advice))
    unsettled = judgement.verdict is Verdict.INCONCLUSIVE
    stages: tuple[Sequence[Objection], ...] = (
        [own] if judgement.verdict is Verdict.INVALID else (),
        vetoes,
        [own] if judgement.verdict is Verdict.FAIL else (),
        [*before, *([own] if unsettled else ()), *doubts],
    )
    heard = next((_heard(stage) for stage in stages if stage), Objection(verdict=Verdict.PASS))
    return Decision(
        verdict=heard.verdict,
        estimate=judgement.finding.estimate,
        decided_by=judgement.finding.name,
        label=heard.label,
        reasons=(*scope, *heard.reasons, *notes),
        advice=tuple(dict.fromkeys(heard.advice)),
        needed=needed if unsettled and heard.verdict is Verdict.INCONCLUSIVE else None,
    )


def failed_negative_control(controls: Controls, *todo: str) -> list[Objection]:
    """Return the veto of the first reference that does not hold, if there is one."""
    failed = [control for control in controls.retrained if not control.holds]
    return [invalid(f"the negative control fails: {failed[0].says}", *todo)] if failed else []


def missing_power(
    controls: Controls, require_controls: bool, no_power: Sequence[str] = then.NO_POWER
) -> list[Objection]:
    """Return the doubt about an original that is not recognised, or is missing."""
    if controls.original is None:
        return [doubt("no positive control: there is no original model", then.NO_ORIGINAL)] if require_controls else []
    return [] if controls.original.holds else [doubt(f"no power: {controls.original.says}", *no_power)]


def doubt(reason: str, *todo: str) -> Objection:
    """Return an objection that withholds PASS."""
    return Objection((reason,), todo)


def invalid(reason: str, *todo: str) -> Objection:
    """Return an objection that makes the audit INVALID."""
    return Objection((reason,), todo, Verdict.INVALID)


def controls_waived(require_controls: bool) -> tuple[str, ...]:
    """Return the note that a caller did without controls."""
    return () if require_controls else ("require_controls=False: missing controls were accepted by the caller",)


def _heard(objections: Sequence[Objection]) -> Objection:
    """Return the first of the most severe objections, or all together where none is worse than a doubt."""
    verdict = most_severe(one.verdict for one in objections)
    if verdict.severity > Verdict.INCONCLUSIVE.severity:
        return next(one for one in objections if one.verdict is verdict)
    reasons = tuple(reason for one in objections for reason in one.reasons)
    return Objection(reasons, tuple(step for one in objections for step in one.advice), verdict)


def _beyond(findings: Sequence[F], claim: Claim, alpha: float) -> list[tuple[F, Side, float]]:
    """Return what is beyond its limit with certainty, on which side and how surely (Holm over finding x side)."""
    tried: list[tuple[F, Side, float]] = []
    for finding in findings:
        limits = finding.limits or claim
        for side in finding.faults if not finding.problem else ():
            limit = limits.highest if side == "high" else limits.lowest
            if limit is not None:
                tried.append((finding, side, limit))
    adjusted = holm(np.array([p_value(one.tested or one.measure, limit, side) for one, side, limit in tried]))
    return [(one, side, p) for (one, side, _), p in zip(tried, adjusted.tolist(), strict=True) if p <= alpha]
