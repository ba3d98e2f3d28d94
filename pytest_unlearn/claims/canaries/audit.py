"""audit_canaries_forgotten: is anything left of what was planted in the training data, to be deleted again?

From what models show of canaries to the verdict: limits and multiplicity first, then the controls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_unlearn.attacks.signals import hinge_margin
from pytest_unlearn.claims.canaries import Canaries
from pytest_unlearn.claims.canaries.figures import exhibits
from pytest_unlearn.claims.canaries.findings import Finding, Seen, look, with_confusion
from pytest_unlearn.claims.canaries.planting import digest_of
from pytest_unlearn.claims.common import advice
from pytest_unlearn.claims.common.controls import does_not_follow
from pytest_unlearn.claims.common.findings import MOSTLY_TIED
from pytest_unlearn.claims.common.provenance import outputs_digest, provenance
from pytest_unlearn.core.evidence import Answers, Claim, ControlResult, Controls, Estimate, Evidence, Side, Verdict
from pytest_unlearn.core.settings import CONFIDENCE, REQUIRE_CONTROLS, resolve
from pytest_unlearn.models.predict import Output
from pytest_unlearn.statistics import holm, p_value
from pytest_unlearn.task import UnlearningTask

QUANTITIES = {
    "gaussian": "mean alignment with the planted noise",
    "mislabelled": "share of pairs in which the planted example stands out",
    "confusion": "share of pairs in which the planted example stands out",
    "backdoor": "share of triggers that hit their target",
}
LIMITS = {"gaussian": 0.2, "mislabelled": 0.6, "confusion": 0.65}
FOLLOWING = 0.25  # canaries disturb the original's answers, so that less can be expected of a model without them
AGREEING = 0.5  # share of equal labels, where margins are too coarse to be ranked
OF_THE_WAY = 0.5  # from chance to certainty, that triggers may hit by default


def audit_canaries_forgotten(
    model: Any,
    canaries: Canaries,
    max_effect: float | None = None,
    *,
    original: Any = None,
    references: Sequence[Any] | None = None,
    task: UnlearningTask | None = None,
    require_controls: bool = REQUIRE_CONTROLS,
    confidence: float = CONFIDENCE,
    output: Output = None,
) -> Evidence:
    """Did the model unlearn the canaries that were planted before training? Chance's own law is the yardstick.

    What decided about each canary was drawn at random, so that a model that never saw them shows exactly what the draw
    gives, however hard the data are and whatever the model is like. References are therefore not needed.

    Args:
        model: the unlearned model: an `nn.Module`, a fitted scikit-learn classifier or a callable; for Gaussian
            canaries a module or a linear classifier.
        canaries: from `plant_canaries`; the model's training set was `canaries.train`, its request `canaries.indices`.
        max_effect: the largest tolerated effect. "gaussian": mean of standard normal alignments, between 0 and 1
            (0.2 by default), on either side. "mislabelled" and "confusion": share of pairs in which the planted example
            looks more trained than its twin that was held out, between 0.5 and 1 (0.6 and 0.65); 1 - max_effect is the
            smallest. "backdoor": share of triggers that call for their target, between 1 / classes and 1 (halfway).
        original: the model that was trained on the canaries, the positive control.
        references: models retrained without them, negative controls. "confusion" is also judged by how often unseen
            examples of the two classes are confused (0.5 plus half the excess over references, within the same limits);
            without references all such confusion counts against PASS, and none of it for FAIL or power.
        task: an `UnlearningTask` on `canaries.train`, for its original and references where these are not given.
        require_controls: whether a missing original makes the verdict INCONCLUSIVE at best.
        confidence: of every one-sided bound.
        output: which entry of a dict or tuple output holds the logits.

    Returns:
        Evidence; its estimate is the effect: 0 for "gaussian", 0.5 for pairs and 1 / classes for "backdoor" under
        perfect unlearning.

    Raises:
        ValueError: a task on other data or whose request lacks canaries, an impossible limit, a model that cannot be
            asked.

    Source: Pawelczyk et al. 2024 ("gaussian"); Steinke et al. 2023 (coin flips); Goel et al. 2022 ("confusion"); Sommer
        et al. 2022 ("backdoor"). Limits and the judgement on bounds are ours.
    """
    if not isinstance(canaries, Canaries):
        raise TypeError(f"canaries must come from plant_canaries(train, kind=...), not {type(canaries).__name__}.")
    claim = _claim(canaries, max_effect, resolve("confidence", confidence).source, require_controls)
    level, strict = resolve("confidence", confidence).value, resolve("require_controls", require_controls).value
    if references is not None and (hasattr(references, "parameters") or not hasattr(references, "__iter__")):
        raise TypeError("references must be a list of retrained models; for one model write references=[model].")
    own = (False, False)
    if task is not None:
        _check_task(canaries, task)
        own = (original is None and task.has_original, references is None)
        original = task.original if own[0] else original
        references = task.retrained if own[1] else references
    device = task.device if task is not None else None

    def seen_of(one: Any, by_labels: bool = False) -> Seen:
        return look(one, canaries, output=output, device=device, by_labels=by_labels)

    target = seen_of(model)
    # Power against finer outputs than the model reveals would say nothing about what was possible.
    before = None if original is None else seen_of(original, by_labels=target.coarse)
    known = [seen_of(reference) for reference in references or ()]
    findings = with_confusion(target, known)
    judgement = judge(findings, claim, level)
    controls = Controls(
        original=None if before is None else positive_control(with_confusion(before, known), claim, level),
        retrained=negative_controls(
            [with_confusion(seen, known[:k] + known[k + 1 :]) for k, seen in enumerate(known)], claim, level
        ),
    )
    needed = None
    if judgement.verdict is Verdict.INCONCLUSIVE:
        needed = advice.needed_examples(judgement.estimate, claim.lowest, claim.highest)
    verdict, reasons, then = rule(
        judgement, controls, strict=strict, astray=_astray(target, before, known), needed=needed
    )
    return Evidence(
        claim=claim,
        verdict=verdict,
        estimate=judgement.estimate,
        decided_by=judgement.finding.attack,
        label=judgement.label if verdict is Verdict.FAIL else "",
        attacks={finding.attack: finding.measure.at(level) for finding in findings},
        deciding=tuple(finding.attack for finding in findings),
        controls=controls,
        reasons=(*reasons, *(_shown(finding) for finding in findings), *_notes(strict, bool(known))),
        advice=then,
        needed=needed if verdict is Verdict.INCONCLUSIVE else None,
        provenance=provenance(
            model,
            (),
            task,
            original=own[0],
            retrained=own[1],
            canaries={"kind": canaries.kind, "count": len(canaries), "train": canaries.train_digest},
            outputs=outputs_digest(target.plain),
            references=len(known),
            require_controls=strict,
        ),
        exhibits=exhibits(canaries, target, before, known, level),
    )


def _claim(canaries: Canaries, max_effect: float | None, confidence: str, require_controls: bool) -> Claim:
    chance = {"gaussian": 0.0, "backdoor": 1 / len(canaries.classes)}.get(canaries.kind, 0.5)
    highest = LIMITS.get(canaries.kind, chance + OF_THE_WAY * (1 - chance))
    source = "default" if max_effect is None else "call keyword"
    if max_effect is not None:
        if isinstance(max_effect, bool) or not isinstance(max_effect, (int, float)) or not chance < max_effect < 1:
            raise ValueError(
                f"max_effect of {canaries.kind} canaries must be a number above {chance:g} and below 1; got "
                f"{max_effect!r}."
            )
        highest = float(max_effect)
    lowest = {"gaussian": -highest, "backdoor": None}.get(canaries.kind, round(1 - highest, 12))
    strict = resolve("require_controls", require_controls).source
    return Claim(
        name="canaries_forgotten",
        quantity=QUANTITIES[canaries.kind],
        lowest=lowest,
        highest=highest,
        sources={"max_effect": source, "confidence": confidence, "require_controls": strict},
    )


def _check_task(canaries: Canaries, task: UnlearningTask) -> None:
    if not isinstance(task, UnlearningTask):
        raise TypeError(f"task must be an UnlearningTask on canaries.train, not {type(task).__name__}.")
    if digest_of(task.split.train) != canaries.train_digest:
        raise ValueError(
            "this task was not built on these canaries: build it with "
            "Split(canaries.train, forget=canaries.indices, test=...)."
        )
    kept = np.setdiff1d(canaries.indices, task.split.forget_indices)
    if len(kept):
        raise ValueError(
            f"{len(kept)} of {len(canaries)} canaries are not in the task's request, the first at index {kept[0]}: "
            "hand all of canaries.indices to Split(forget=...); models retrained by this task know the others."
        )


def _astray(target: Seen, before: Seen | None, known: Sequence[Seen]) -> str:
    """Why the model's answers seem out of order or drowned in noise, so that it would pass whatever it remembers."""
    comparable = list(known) or ([before] if before is not None else [])
    if len(np.unique(hinge_margin(target.plain))) > MOSTLY_TIED * len(target.plain.labels):
        plain = [Answers(forget=seen.plain, controls=seen.plain) for seen in (target, *comparable)]
        return does_not_follow(plain[0], plain[1:], FOLLOWING, "retained examples")
    ours, *theirs = (seen.plain.logits.argmax(axis=1) for seen in (target, *comparable))
    same = min((float((ours == other).mean()) for other in theirs), default=1.0)
    if same >= AGREEING:
        return ""
    return (
        f"no power on this model: it gives {same:.0%} of retained examples the label that a comparable model gives them"
    )


def _shown(finding: Finding) -> str:
    if finding.chance is None:
        return finding.says
    return f"{finding.says}; a model that never saw the canaries shows as much with probability {finding.chance:.2g}"


def _notes(strict: bool, references: bool) -> tuple[str, ...]:
    notes = []
    if not references:
        notes.append("no references: the draws made at planting, whose law is known, stand in for the negative control")
    if not strict:
        notes.append("require_controls=False: missing controls were accepted by the caller")
    return tuple(notes)


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
