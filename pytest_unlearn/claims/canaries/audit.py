"""Audit of whether planted canaries are still remembered after deletion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from pytest_unlearn.attacks.signals import hinge_margin
from pytest_unlearn.attacks.thresholds import MOSTLY_TIED
from pytest_unlearn.claims.canaries import Canaries
from pytest_unlearn.claims.canaries.figures import canary_figures
from pytest_unlearn.claims.canaries.findings import CanaryFinding, Seen, ask_about_canaries, with_confusion
from pytest_unlearn.claims.canaries.planting import digest_of
from pytest_unlearn.claims.canaries.text.audit import judge_text_canaries
from pytest_unlearn.claims.canaries.text.planting import TextCanaries
from pytest_unlearn.claims.common import advice
from pytest_unlearn.claims.common.controls import (
    PowerCheck,
    family_confidence,
    negative_control,
    power_check,
    uncorrelated_with_references,
    without,
)
from pytest_unlearn.claims.common.evidence import build_evidence, resolve_all
from pytest_unlearn.claims.common.provenance import outputs_digest, provenance
from pytest_unlearn.claims.common.verdict import (
    Wording,
    controls_waived,
    decide,
    doubt,
    failed_negative_control,
    judge,
    missing_controls,
)
from pytest_unlearn.core.evidence import Answers, Claim, ControlResult, Controls, Estimate, Evidence
from pytest_unlearn.core.settings import CONFIDENCE, MAX_SHARE_LEFT, REQUIRE_CONTROLS
from pytest_unlearn.models.acceptance import check_model, checked_models
from pytest_unlearn.models.predict import Output, OutputKind, read_as
from pytest_unlearn.statistics import holm, share_of_estimates
from pytest_unlearn.task import UnlearningTask

NAME = "canaries_forgotten"
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
SURELY_TRAINED = 0.001  # references show as much by chance alone so rarely that they must have seen the canaries
WORDING = Wording(beyond="{label}: {finding.summary}")
PLANT_MORE = (
    "plant more canaries before the next training (count=), or stronger ones: what was not learned tells nothing"
)
SAW_CANARIES = (
    "check how the references were trained: on canaries.train without canaries.indices, and with another seed than the "
    "canaries were planted with"
)


def audit_canaries_forgotten(
    model: Any,
    canaries: Canaries | TextCanaries,
    max_effect: float | None = None,
    *,
    original: Any = None,
    references: Sequence[Any] | None = None,
    task: UnlearningTask | None = None,
    require_controls: bool = REQUIRE_CONTROLS,
    confidence: float = CONFIDENCE,
    output: Output = None,
    output_kind: OutputKind | None = None,
    max_share_left: float = MAX_SHARE_LEFT,
    tokenizer: Any = None,
    max_length: int | None = None,
) -> Evidence:
    """Audit whether the canaries planted before training were unlearned.

    What decided about each canary was drawn at random, so that a model that never saw them shows exactly what the draw
    gives, however hard the data are and whatever the model is like. References are therefore not needed.

    Args:
        model: the unlearned model: an `nn.Module`, a fitted scikit-learn classifier or a callable; for Gaussian
            canaries a module or a linear classifier; for text canaries a language model.
        canaries: from `plant_canaries`; the model's training set was `canaries.train`, its request `canaries.indices`.
            Or from `plant_text_canaries`, with `canaries.documents`.
        max_effect: the largest tolerated effect. "gaussian": mean of standard normal alignments, between 0 and 1
            (0.2 by default), on either side. "mislabelled" and "confusion": share of pairs in which the planted example
            looks more trained than its twin that was held out, between 0.5 and 1 (0.6 and 0.65); 1 - max_effect is the
            smallest. "backdoor": share of triggers that call for their target, between 1 / classes and 1 (halfway).
            Text: mean share of equally likely texts that a canary outranks, between 0.5 and 1 (0.75). Whatever the
            limit, an exact p-value of its exposure up to .001 is a FAIL, and one up to 1 - confidence no PASS.
        original: the model that was trained on the canaries, the positive control.
        references: models retrained without them, negative controls. "confusion" is also judged by how often unseen
            examples of the two classes are confused (0.5 plus half the excess over references, within the same limits);
            without references all such confusion counts against PASS, and none of it for FAIL or power.
        task: an `UnlearningTask` on `canaries.train`, for its original and references where these are not given.
        require_controls: whether a missing original makes the verdict INCONCLUSIVE at best.
        confidence: of every one-sided bound.
        output: which entry of a dict or tuple output holds the logits.
        output_kind: "logits", "probabilities" or "log-probabilities"; told by range and sum if it is not given.
        max_share_left: the largest share of the original's effect that PASS may leave, above 0 and below 1.
        tokenizer: of text canaries: the model's own; the recipe's or the pipeline's by default.
        max_length: of text canaries: tokens that models are asked about at once.

    Returns:
        Evidence; its estimate is the effect: 0 for "gaussian", 0.5 for pairs and texts and 1 / classes for "backdoor"
        under perfect unlearning. It speaks of canaries alone: a method that forgets these may keep other data, and
        without references a filter that knows the template of texts is not told from forgetting.

    Raises:
        ValueError: a task on other data or whose request lacks canaries, an impossible limit, a model that cannot be
            asked.

    Source: Pawelczyk et al. 2024 ("gaussian"); Steinke et al. 2023 (coin flips); Goel et al. 2022 ("confusion"); Sommer
        et al. 2022 ("backdoor"); Carlini et al. 2019 (texts). Limits and the judgement on bounds are ours.
    """
    output = read_as(output, output_kind)
    if not isinstance(canaries, (Canaries, TextCanaries)):
        raise TypeError(
            "canaries must come from plant_canaries(train, kind=...) or plant_text_canaries(documents), not "
            f"{type(canaries).__name__}."
        )
    sources, (confidence, require_controls, share) = resolve_all(
        confidence=confidence, require_controls=require_controls, max_share_left=max_share_left
    )
    if isinstance(canaries, TextCanaries):
        if output is not None:
            raise ValueError("output= and output_kind= are of classifiers: leave them out for text canaries.")
        return judge_text_canaries(
            model,
            canaries,
            max_effect,
            original=original,
            references=references,
            task=task,
            tokenizer=tokenizer,
            max_length=max_length,
            name=NAME,
            sources=sources,
            confidence=confidence,
            require_controls=require_controls,
            max_share_left=share,
        )
    if tokenizer is not None or max_length is not None:
        raise ValueError("tokenizer= and max_length= are of text canaries: leave them out for those of classifiers.")
    claim = _claim(canaries, max_effect, sources)
    check_model(model)
    if original is not None:
        check_model(original, "original")
    if references is not None:
        references = checked_models(references, "references")
    if task is not None:
        _check_task(canaries, task)
    device = task.device if task is not None else None

    seen_of = partial(ask_about_canaries, canaries=canaries, confidence=confidence, output=output, device=device)
    target = seen_of(model)  # one that cannot be audited costs no training
    own = (False, False)
    if task is not None:
        own = (original is None and task.has_original, references is None)
        original = task.original if own[0] else original
        references = task.retrained if own[1] else references
    # Power against finer outputs than the model reveals would say nothing about what was possible.
    before = None if original is None else seen_of(original, by_labels=target.coarse)
    retrained = [seen_of(reference) for reference in references or ()]
    findings = with_confusion(target, retrained, confidence)
    judged = judge(findings, claim, confidence, wording=WORDING, counted=True)
    rotations = [with_confusion(seen, without(retrained, k), confidence) for k, seen in enumerate(retrained)]
    power = None if before is None else _power(with_confusion(before, retrained, confidence), findings, canaries, share)
    controls = Controls(
        original=None if power is None else power.control, retrained=_negative(rotations, claim, confidence)
    )
    needed = judged.needed
    many = f"about {needed:,} canaries would settle it" if needed is not None else "no number settles it"
    uncorrelated = _uncorrelated(target, before, retrained)
    decision = decide(
        judged,
        vetoes=failed_negative_control(controls, SAW_CANARIES),
        advice=(f"{many}: plant more before the next training, or choose a limit that this many can certify",),
        doubts=[
            *missing_controls(controls, require_controls, (PLANT_MORE,)),
            *(power.objections() if power is not None else []),
            *([doubt(uncorrelated, advice.OUT_OF_ORDER)] if uncorrelated else []),
        ],
        notes=(*(finding.shown for finding in findings), *_notes(require_controls, bool(retrained))),
    )
    return build_evidence(
        claim,
        decision,
        findings,
        controls=controls,
        provenance=provenance(
            model,
            (),
            task,
            original=own[0],
            retrained=own[1],
            canaries={"kind": canaries.kind, "count": len(canaries), "train": canaries.train_digest},
            outputs=outputs_digest(target.plain),
            references=len(retrained),
            require_controls=require_controls,
            max_share_left=share,
        ),
        **({} if power is None or uncorrelated else power.recorded),
        figures=canary_figures(canaries, target, before, retrained, confidence),
    )


def _claim(canaries: Canaries, max_effect: float | None, sources: Mapping[str, str]) -> Claim:
    chance = _chance(canaries)
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
    return Claim(
        name=NAME,
        quantity=QUANTITIES[canaries.kind],
        lowest=lowest,
        highest=highest,
        sources={"max_effect": source, **sources},
    )


def _chance(canaries: Canaries) -> float:
    """Return what a model shows that never saw the canaries."""
    return {"gaussian": 0.0, "backdoor": 1 / len(canaries.classes)}.get(canaries.kind, 0.5)


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


def _uncorrelated(target: Seen, before: Seen | None, references: Sequence[Seen]) -> str:
    """Explain why the answers seem permuted or noisy, which hides any memory."""
    comparable = list(references) or ([before] if before is not None else [])
    if len(np.unique(hinge_margin(target.plain))) > MOSTLY_TIED * len(target.plain.labels):
        plain = [Answers(forget=seen.plain, controls=seen.plain) for seen in (target, *comparable)]
        return uncorrelated_with_references(plain[0], plain[1:], FOLLOWING, "retained examples")
    ours, *theirs = (seen.plain.logits.argmax(axis=1) for seen in (target, *comparable))
    same = min((float((ours == other).mean()) for other in theirs), default=1.0)
    if same >= AGREEING:
        return ""
    return (
        f"no power on this model: it gives {same:.0%} of retained examples the label that a comparable model gives them"
    )


def _notes(require_controls: bool, references: bool) -> tuple[str, ...]:
    drawn = "no references: the draws made at planting, whose law is known, stand in for the negative control"
    return (*(() if references else (drawn,)), *controls_waived(require_controls))


def _power(
    before: Sequence[CanaryFinding], own: Sequence[CanaryFinding], canaries: Canaries, most: float
) -> PowerCheck:
    """Check that the original shows the canaries, and bound what is left of them."""

    def share(audited: CanaryFinding, original: CanaryFinding) -> Estimate:
        return share_of_estimates(audited.estimate, original.estimate, _chance(canaries))

    able = [finding for finding in before if finding.failures]
    left = [finding for finding in own if finding.failures]
    return power_check(able, left, share, most, chance=_chance(canaries), what="the canaries are", explained=True)


def _negative(models: Sequence[Sequence[CanaryFinding]], claim: Claim, confidence: float) -> tuple[ControlResult, ...]:
    """Check that references, which saw no canary, show no more than chance gives."""
    chances = [[f.chance for f in findings if f.chance is not None and not f.problem] for findings in models]
    flat = holm(np.array([chance for one in chances for chance in one])) if any(chances) else np.empty(0)
    adjusted = iter(np.split(flat, np.cumsum([len(one) for one in chances])[:-1]))
    results, corrected = [], family_confidence(confidence, len(models))
    for k, findings in enumerate(models):
        judged = judge(findings, claim, corrected, wording=WORDING)
        shown = judged.finding.problem or judged.finding.summary
        fails = f"shows the canaries although it should never have seen them: {shown}"
        unlikely = bool((next(adjusted) <= SURELY_TRAINED).any())
        results.append(negative_control(k, judged, fails, f"does not show them: {shown}", failed=unlikely))
    return tuple(results)
