"""From what models show of canaries to the verdict: limits and multiplicity first, then the controls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pytest_unlearn.audits import advice
from pytest_unlearn.audits.canary_findings import Finding
from pytest_unlearn.evidence import Claim, ControlResult, Controls, Estimate, Side, Verdict
from pytest_unlearn.statistics import holm, p_value

SURELY_TRAINED = 0.001  # references show as much by chance alone so rarely that they must have seen the canaries
LABELS = {"high": "recognisable", "low": "over-forgotten"}
LEAK = {
    "recognisable": "what was planted is still in the model: unlearn longer or differently, or retrain",
    "over-forgotten": advice.LEAK["over-forgotten"],
}
PLANT_MORE = (
    "plant more canaries before the next training (count=), or stronger ones: what was not learned tells nothing"
)
SAW_CANARIES = (
    "check how the references were trained: on canaries.train without canaries.indices, and with another seed than the "
    "canaries were planted with"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a model's findings alone say: the verdict, the finding that settled it, and why."""

    verdict: Verdict
    finding: Finding
    estimate: Estimate
    label: str = ""
    reason: str = ""


def judge(findings: Sequence[Finding], claim: Claim, confidence: float) -> Judgement:
    """INVALID, then FAIL (Holm over attack x side), then PASS (every bound within the limits), else INCONCLUSIVE."""

    def settled(verdict: Verdict, finding: Finding, label: str = "", reason: str = "") -> Judgement:
        estimate = finding.measure.at(confidence)
        return Judgement(verdict=verdict, finding=finding, estimate=estimate, label=label, reason=reason)

    for finding in findings:
        if finding.problem:
            return settled(Verdict.INVALID, finding, reason=finding.problem)
    tried: list[tuple[Finding, Side, float]] = []
    for finding in (finding for finding in findings if finding.accuses):
        if claim.highest is not None:
            tried.append((finding, "high", claim.highest))
        if claim.lowest is not None:
            tried.append((finding, "low", claim.lowest))
    p_values = holm(np.array([p_value(finding.measure, limit, side) for finding, side, limit in tried]))
    first = int(p_values.argmin())
    if p_values[first] <= 1 - confidence:
        finding, side, _ = tried[first]
        label = LABELS[side]
        return settled(Verdict.FAIL, finding, label, f"{label}: {finding.says}")
    worst = max(findings, key=lambda finding: _excess(finding.measure.at(confidence), claim))
    if _excess(worst.measure.at(confidence), claim) > 0:
        reason = f"the interval of {worst.attack} reaches beyond the limit, but not with certainty"
        return settled(Verdict.INCONCLUSIVE, worst, reason=reason)
    return settled(Verdict.PASS, worst)


def positive_control(findings: Sequence[Finding], claim: Claim, confidence: float) -> ControlResult:
    """Does the original, which trained on the canaries, show them beyond the limit with certainty?"""
    able = [finding for finding in findings if finding.accuses]
    best = max(able, key=lambda finding: (not finding.problem, finding.measure.at(confidence).low))
    estimate = best.measure.at(confidence)
    holds = not best.problem and claim.highest is not None and estimate.low > claim.highest
    shows = "shows the canaries" if holds else f"does not show the canaries beyond {claim.highest:g} with certainty"
    return ControlResult(
        name="original",
        holds=holds,
        attack=best.attack,
        estimate=estimate,
        says=f"the original {shows}: {best.problem or best.says}",
    )


def negative_controls(
    models: Sequence[Sequence[Finding]], claim: Claim, confidence: float
) -> tuple[ControlResult, ...]:
    """References never saw a canary: none may FAIL, or show what chance alone hardly ever gives."""
    chances = [[f.chance for f in findings if f.chance is not None and not f.problem] for findings in models]
    flat = holm(np.array([chance for one in chances for chance in one])) if any(chances) else np.empty(0)
    adjusted = iter(np.split(flat, np.cumsum([len(one) for one in chances])[:-1]))
    results = []
    for k, findings in enumerate(models):
        judgement = judge(findings, claim, confidence)
        unlikely = bool((next(adjusted) <= SURELY_TRAINED).any())
        failed = judgement.verdict is Verdict.FAIL or unlikely
        says = "shows the canaries although it should never have seen them" if failed else "does not show them"
        results.append(
            ControlResult(
                name=f"retrained {k}",
                holds=not failed,
                attack=judgement.finding.attack,
                estimate=judgement.estimate,
                says=f"retrained {k} {says}: {judgement.finding.problem or judgement.finding.says}",
            )
        )
    return tuple(results)


def rule(
    judgement: Judgement, controls: Controls, *, strict: bool, astray: str, needed: int | None
) -> tuple[Verdict, tuple[str, ...], tuple[str, ...]]:
    """The verdict with its reasons and what to do next: INVALID, then FAIL, then INCONCLUSIVE, then PASS."""
    if judgement.verdict is Verdict.INVALID:
        return Verdict.INVALID, (judgement.reason,), (advice.SCORES_INVALID,)
    failed = [control for control in controls.retrained if not control.holds]
    if failed:
        return Verdict.INVALID, (f"the negative control fails: {failed[0].says}",), (SAW_CANARIES,)
    if judgement.verdict is Verdict.FAIL:
        return Verdict.FAIL, (judgement.reason,), (LEAK[judgement.label],)
    doubts, todo = [], []
    if judgement.verdict is Verdict.INCONCLUSIVE:
        doubts.append(judgement.reason)
        many = f"about {needed:,} canaries would settle it" if needed is not None else "no number settles it"
        todo.append(f"{many}: plant more before the next training, or choose a limit that this many can certify")
    if controls.original is not None and not controls.original.holds:
        doubts.append(f"no power: {controls.original.says}")
        todo.append(PLANT_MORE)
    if strict and controls.original is None:
        doubts.append("no positive control: there is no original model")
        todo.append(advice.NO_ORIGINAL)
    if astray:
        doubts.append(astray)
        todo.append(advice.OUT_OF_ORDER)
    return (Verdict.INCONCLUSIVE if doubts else Verdict.PASS), tuple(doubts), tuple(todo)


def _excess(estimate: Estimate, claim: Claim) -> float:
    above = -np.inf if claim.highest is None else estimate.high - claim.highest
    below = -np.inf if claim.lowest is None else claim.lowest - estimate.low
    return float(max(above, below))
