"""Conclude from what attacks found, and from nothing else.

Pure: whoever has the findings, from a run or from its stored scores, comes to the same controls and the same verdict.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Generic, TypeVar

from pytest_unlearn.attacks.registry import Pairing
from pytest_unlearn.claims.common import advice
from pytest_unlearn.claims.common.certify import POWER, Certifiable, Shadowed, certify, request
from pytest_unlearn.claims.common.controls import CHANCE, PowerCheck, family_confidence, negative_control, power_check
from pytest_unlearn.claims.common.evidence import AucTerms
from pytest_unlearn.claims.common.findings import AttackFinding, judge_attacks
from pytest_unlearn.claims.common.verdict import NO_NEGATIVE, Decision, Objection, decide, doubt, missing_controls
from pytest_unlearn.core.evidence import ControlResult, Controls, Estimate, Side, Verdict
from pytest_unlearn.core.settings import MAX_MIA_AUC
from pytest_unlearn.statistics import can_certify, normal_quantile, null_precision

Judge = Callable[..., Decision[AttackFinding]]
T = TypeVar("T")
RECOGNISABLE = "recognisable"
INTERCHANGED = "the original shows less of the forget set than this model: were the two interchanged?"

NOT_ENOUGH_GONE = ("unlearn longer or differently, or retrain, if more of it should be gone than the estimate says",)


@dataclass(eq=False)
class OnDemand(Generic[T]):
    """Find something out once, and only if it is asked for; `answer` is None before."""

    find: Callable[[], T]
    answer: T | None = None

    def __call__(self) -> T:
        """Return the answer."""
        if self.answer is None:
            self.answer = self.find()
        return self.answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What an audit by attacks found, from which its conclusion follows.

    `findings` are on the audited model, `known` on the original as the audited model's channel shows it (`plain` on the
    original as it is) and `what` that is; `rotations` those on each reference, judged by the rest. `sizes` are of
    forget set and controls, `references` counts those that differ, and `fewest_references` are needed to judge each by
    the others.
    `judge_by` judges one model's findings, by the limit on AUCs by default; `seen` are those on the original that it
    went by.
    `calibrated` says whether others' answers tell how hard an example is: without, an honest model may lie below chance
    on a request that is harder than its controls. `matched` says that controls were matched by more than class.
    `counted` says whether more examples settle what reaches beyond the limits, `documents` whether they are documents
    of a language model, `simulable` whether there is a recipe by which requests like this one can be simulated,
    `training` how many seconds it takes once, where that is known, `runs_limit` what such runs would be held to where
    this claim has no limit on AUCs, and `shadowed` what online attacks would take where they could be run.
    `itself` says whether the audited model answers as the original does. `differ` says how forget set and controls
    differ without the model. What only the models can tell is here as objections: `misaligned` (and controls that were
    surely trained on, or are harder than the request), which outrank a FAIL, `unlike` (references) and those that come
    `before` others.
    """

    terms: AucTerms
    pairing: Pairing
    sizes: tuple[int, int]
    findings: Sequence[AttackFinding]
    known: Sequence[AttackFinding] | None
    plain: OnDemand[Sequence[AttackFinding]]
    what: str
    rotations: Sequence[Sequence[AttackFinding]]
    references: int
    fewest_references: int
    calibrated: bool = True
    matched: bool = False
    counted: bool = False
    documents: bool = False
    simulable: bool = False
    training: float | None = None
    runs_limit: float = float(MAX_MIA_AUC)
    shadowed: Shadowed | None = None
    itself: bool = False
    blind: ControlResult | None = None
    differ: OnDemand[tuple[str, ...]]
    misaligned: Sequence[Objection] = ()
    unlike: Sequence[Objection] = ()
    before: Sequence[Objection] = ()
    notes: tuple[str, ...] = ()
    judge_by: Judge | None = None
    seen: Mapping[str, Sequence[AttackFinding] | None] = field(default_factory=dict)

    @property
    def sized(self) -> bool:
        """Whether the size of the request is what its advice is about."""
        return self.counted or self.judge_by is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """The state of the controls, and the decision.

    `judged` is what the findings say by themselves. `share_left` is that of the original's excess that is left, by the
    attack that bounds it least; `not_testable` says why the claim cannot be tested here, for a reason that lies in
    original and request alone.
    """

    controls: Controls
    judged: Decision[AttackFinding]
    decision: Decision[AttackFinding]
    share_left: Estimate | None
    not_testable: str


def conclude(found: Found) -> Conclusion:
    """Judge the findings, hold them to the controls, and decide."""
    terms, findings, count = found.terms, found.findings, found.references
    limit, confidence, require_controls = terms.limit, terms.confidence, terms.require_controls
    spared: tuple[Side, ...] = () if found.calibrated else ("low",)
    judge_by = found.judge_by or partial(judge_attacks, limit=limit, spared=spared)
    labels, (many, controls_count) = found.pairing.labels, found.sizes
    certifiable = not found.counted or can_certify(limit, confidence, many, controls_count, **labels)
    judged = judge_by(findings, confidence=confidence, certifiable=certifiable, counted=found.counted)
    level = family_confidence(confidence, len(found.rotations))
    check = partial(
        power_check,
        audited=findings,
        share_of=partial(_share, found.pairing, confidence),
        most=terms.max_share_left,
        limit=limit - CHANCE,
        errors=_honest_errors(findings, found.rotations, null_precision(many, controls_count, **labels)[0]),
    )
    power = None if found.known is None else check(found.known, what=found.what)
    controls = Controls(
        original=power.control if power is not None else None,
        retrained=tuple(negative_control(k, judge_by(one, confidence=level)) for k, one in enumerate(found.rotations)),
        blind=found.blind,
    )
    said = _certifiable(found)
    open_ended = judged.verdict is Verdict.INCONCLUSIVE
    below = open_ended and bool(judged.advice)  # surely, and on a spared side: no number of examples settles that
    unsettled = open_ended and not below
    if found.counted:
        judged = replace(judged, needed=said.needed_examples if unsettled and said.power < POWER else None)
    kept = _kept(found, power)
    settles = kept or _settles(found, judged, said, power)
    few = settles if found.sized else ()
    lacking = require_controls and 2 <= count < found.fewest_references
    no_negative = f"{count} distinct references, at least two are needed" if count < 2 else ""
    reason = (
        f"{count} distinct references, and it takes {found.fewest_references}, each judged by the others, {NO_NEGATIVE}"
    )
    step = f"give at least {found.fewest_references} references, so that each can be judged by the others"
    # Advice on the findings themselves comes last, a lack of references first.
    decision = decide(
        judged,
        vetoes=[*found.misaligned, *_vetoes(found, controls)],
        before=[*found.before, *([doubt(reason)] if lacking else [])],
        doubts=[
            *missing_controls(controls, require_controls, no_negative=no_negative),
            *(power.objections(*(kept or NOT_ENOUGH_GONE), few=few) if power is not None else []),
            *found.unlike,
            Objection((), (step,) if lacking else (), Verdict.PASS),
            Objection((), settles if unsettled else (), Verdict.PASS),
        ],
        notes=found.notes,
    )
    if power is not None and decision.label == RECOGNISABLE and _interchanged(judged, power):
        decision = replace(decision, reasons=(*decision.reasons, INTERCHANGED))
    if found.itself and decision.verdict is not Verdict.PASS:
        decision = replace(decision, advice=_of_original(decision.verdict, decision.advice))
    not_testable = ""
    comparable = count >= found.fewest_references or not require_controls
    # An original that comes back is no riddle, nor is a model that surely lies below the limit.
    told_apart = found.misaligned or (found.blind is not None and not found.blind.holds)
    explained = found.itself or found.unlike or found.before or below or told_apart
    if power is not None and comparable and not explained and power.not_testable:
        # Only what the original does not show in full excuses: a coarse channel is the audited model's own doing.
        not_testable = check(found.plain()).not_testable
    return Conclusion(
        controls=controls,
        judged=judged,
        decision=decision,
        share_left=power.share_left[1] if power is not None and power.share_left is not None else None,
        not_testable=not_testable,
    )


def _certifiable(found: Found) -> Certifiable:
    """Say what can be said with the request, at the original's AUC by the attack that shows it least."""
    terms, (many, controls) = found.terms, found.sizes
    return certify(
        replace(request(many, controls, **found.pairing.labels), documents=found.documents),
        limit=terms.limit if found.counted else None,
        confidence=terms.confidence,
        original=least_shown(found.known),
        most=terms.max_share_left,
        runs_limit=found.runs_limit,
    )


def least_shown(known: Sequence[AttackFinding] | None) -> float | None:
    """Return the AUC of the original by the attack that shows it least.

    Of the signed deciding attacks that recognise it; where none does, the largest AUC.
    """
    signed = [one for one in known or () if one.deciding and one.attack.signed and not one.problem]
    values = [one.estimate.value for one in signed if one.estimate.low > CHANCE]
    return min(values, default=max((one.estimate.value for one in signed), default=None))


def _settles(
    found: Found, judged: Decision[AttackFinding], said: Certifiable, power: PowerCheck | None
) -> tuple[str, ...]:
    """Advise on what more examples settle, or on what to do where nobody has them."""
    if found.itself:
        return ()  # no claim is one that the original should be asked again
    if not found.sized:
        return advice.TRIAL_UNSETTLED
    part = judged.finding.part if judged.finding.role == "bounded" else None
    if part is not None:
        labels = {f"forget_{kind}": found.pairing.labels[f"forget_{kind}"] for kind in ("strata", "groups")}
        own = {name: None if one is None else one[part] for name, one in labels.items()}
        size = request(int(part.sum()), found.sizes[1], **{**found.pairing.labels, **own})
        return (advice.small_slice(judged.finding.name, replace(said, request=size)),)
    left = power.share_left if power is not None else None
    return tuple(
        advice.small_request(
            said,
            original=power is not None and power.control.holds,
            simulable=found.simulable,
            training=found.training,
            shadowed=found.shadowed,
            remembers=left is not None and left[1].value > said.most,
        )
    )


def _interchanged(judged: Decision[AttackFinding], power: PowerCheck) -> bool:
    """Tell whether the model surely shows the forget set, and the original surely less of it."""
    original = power.control
    return not original.holds and original.estimate.high < judged.finding.estimate.low


def _kept(found: Found, power: PowerCheck | None) -> tuple[str, ...]:
    """Say that no model with little left looks like this one, so that the request's size is not what is amiss."""
    if found.itself:
        return ()
    shares = power.shares.values() if power is not None and power.control.holds else ()
    over = [share for share in shares if share.value > found.terms.max_share_left and share.low > 0]
    if over:
        return (advice.keeps(max(over, key=lambda share: share.low)),)
    limit = found.terms.limit if found.counted and not shares else math.inf
    signed = [one.estimate for one in found.findings if one.deciding and one.attack.signed and not one.problem]
    recognised = any(one.value > limit and one.low > CHANCE for one in signed)
    return (advice.LEAK[RECOGNISABLE],) if recognised else ()


def _of_original(verdict: Verdict, steps: Sequence[str]) -> tuple[str, ...]:
    """Add what to do about an original that is audited in place of the unlearned model."""
    others = [step for step in steps if step not in NOT_ENOUGH_GONE]
    return (*others, advice.IS_ORIGINAL) if verdict is Verdict.INVALID else (advice.IS_ORIGINAL, *others)


def _share(pairing: Pairing, confidence: float, audited: AttackFinding, original: AttackFinding) -> Estimate:
    return original.attack.share(audited.scores, original.scores, pairing).at(confidence)


def _honest_errors(
    findings: Sequence[AttackFinding], rotations: Sequence[Sequence[AttackFinding]], least: float
) -> Mapping[str, float]:
    """Return each finding's standard error in retrained models: the references', at least that of chance alone."""
    errors = {finding.name: least for finding in findings}
    for finding in (one for rotation in rotations for one in rotation if one.name in errors):
        estimate = finding.estimate
        half = (estimate.high - estimate.low) / (2 * normal_quantile(estimate.confidence))
        errors[finding.name] = max(errors[finding.name], half)
    return errors


def _vetoes(found: Found, controls: Controls) -> list[Objection]:
    """Return why forget set and controls differ even without the model."""
    failed = [control for control in controls.retrained if not control.holds]
    if failed:
        worst = max(failed, key=lambda control: abs(control.estimate.value - 0.5))
        reasons = (f"the negative control fails: {worst.summary}", *found.differ())
        return [Objection(reasons, (advice.CONTROLS_DIFFER,), Verdict.INVALID)]
    if found.blind is not None and not found.blind.holds:
        if found.matched:  # what a request was chosen by is not what it was matched by: others may overlap
            return [doubt(f"no balance: {found.blind.summary}, among matched ones too", advice.NO_BALANCE)]
        steps = (advice.CONTROLS_DIFFER, advice.NO_REFERENCES)
        return [Objection((found.blind.summary,), steps, Verdict.INVALID)]
    return []
