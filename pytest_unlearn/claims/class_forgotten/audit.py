"""Audit of a removed class: unseen examples of it, beside retrained models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_unlearn.claims.class_forgotten.components import (
    KNOWS,
    UTILITY,
    Component,
    Limits,
    components_table,
    judge_components,
    measure_components,
    sent_table,
)
from pytest_unlearn.claims.common.controls import PowerCheck, family_confidence, negative_control, power_check, without
from pytest_unlearn.claims.common.evidence import build_evidence, resolve_all
from pytest_unlearn.claims.common.provenance import outputs_digest, provenance
from pytest_unlearn.claims.common.verdict import Decision, Objection, controls_waived, decide, invalid, missing_controls
from pytest_unlearn.core.evidence import Answers, Claim, Controls, Estimate, Evidence, IntArray, Verdict
from pytest_unlearn.core.settings import CONFIDENCE, MAX_DROP, MAX_GAP, MAX_SHARE_LEFT, REQUIRE_CONTROLS
from pytest_unlearn.data.view import as_view
from pytest_unlearn.models.handle import ModelHandle
from pytest_unlearn.models.predict import Output
from pytest_unlearn.statistics import share_of_estimates
from pytest_unlearn.task import UnlearningTask

MAX_SHIFT = 0.15
FEWEST_REFERENCES = 3  # each is judged by the others, and these have to vary
DISAGREE = "allow for it with a larger limit, train longer so that seeds matter less, or give more references"
NOTHING_KNOWN = "with an original that does not know the class there is nothing to forget, and nothing is shown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """The removed classes, and which unseen and test examples belong to them."""

    classes: IntArray
    gone: NDArray[np.bool_]
    kept: NDArray[np.bool_]


def audit_class_forgotten(
    model: Any,
    forget: Any,
    max_gap: float = MAX_GAP,
    max_drop: float = MAX_DROP,
    *,
    max_shift: float = MAX_SHIFT,
    require_controls: bool = REQUIRE_CONTROLS,
    confidence: float = CONFIDENCE,
    output: Output = None,
    max_share_left: float = MAX_SHARE_LEFT,
) -> Evidence:
    """Audit whether unseen examples of a removed class are treated as if never known.

    Compared with the retrained references, two-sided: accuracy, confidence in the class, and confidence in whatever is
    answered. Besides: how the answers are distributed over classes, and accuracy on the other classes.

    Args:
        model: the unlearned model, of any kind `audit_forgotten` takes.
        forget: the forget view of an `UnlearningTask` or its loader; the classes are those of it that retain lacks.
        max_gap: largest tolerated difference to the mean of retrained models in accuracy and in both confidences,
            above 0 and below 1.
        max_drop: largest tolerated drop in accuracy on the other classes against retrained models, from 0 to below 1.
        max_shift: largest tolerated excess of the total variation distance between where the model and where retrained
            models send examples, over that of retrained models among each other; above 0 and below 1. Seeds alone
            move a few percent of the examples, so this is wider than max_gap.
        require_controls: whether a missing original makes the verdict INCONCLUSIVE at best.
        confidence: of every one-sided bound.
        output: which entry of a dict or tuple output holds the logits.
        max_share_left: the largest share of what the original knows of the class, beyond retrained models, that PASS
            may leave, above 0 and below 1.

    Returns:
        Evidence; its estimate is of the part that decides, 0 under perfect unlearning. PASS needs every part within its
        limit; FAIL a part beyond it by more than one more retrained model may reach.

    Raises:
        ValueError: a class that is only partly forgotten, no never-trained example of it, no other class to test, or
            fewer than three different references.

    It looks at answers alone: a masked last layer often passes, since a network without the class's logit answers
    much as one that never had it. What its features still know takes a look inside.

    Source: Golatkar et al. 2020 and Chundawat et al. 2023 (readout functions on the removed class, beside a retrained
        model's); the bounds and the distance beyond the references' own are ours.
    """
    sources, (gap, drop, confidence, require_controls, share) = resolve_all(
        max_gap=max_gap,
        max_drop=max_drop,
        confidence=confidence,
        require_controls=require_controls,
        max_share_left=max_share_left,
    )
    if not 0 < max_shift < 1:
        raise ValueError(f"max_shift must be a number above 0 and below 1, not {max_shift!r}")
    task = _task_of(forget)
    removal = _removal(task)
    references = _distinct(task, output)
    limits = Limits(gap=gap, shift=float(max_shift), drop=drop)

    def components(one: Answers, others: Sequence[Answers]) -> tuple[Component, ...]:
        return measure_components(one, others, removal.gone, removal.kept, limits, confidence)

    models = task.models.for_audit()
    target = _asked(models.of(model), task, output)
    original = _asked(models.of(task.original), task, output) if task.has_original else None
    own = components(target, references)
    before = components(original, references) if original is not None else None
    judged = judge_components(own, confidence)
    power = None if before is None else _power(before, own, share)
    corrected = family_confidence(confidence, len(references))
    controls = Controls(
        original=None if power is None else power.control,
        retrained=tuple(
            negative_control(
                k,
                judge_components(components(one, without(references, k)), corrected),
                "is unlike the other retrained models",
                "is like the other retrained models",
            )
            for k, one in enumerate(references)
        ),
    )
    waived = Objection(controls_waived(require_controls), verdict=Verdict.PASS)
    unsettled = [Objection((), (_more(judged),))] if judged.verdict is Verdict.INCONCLUSIVE else []
    decision = decide(
        judged,
        vetoes=_vetoes(controls),
        doubts=[
            *missing_controls(controls, require_controls, (NOTHING_KNOWN,)),
            *(power.objections() if power is not None else []),
            waived,
            *unsettled,
        ],
        scope=(_scope(removal),),
    )
    claim = Claim(
        name="class_forgotten",
        quantity=judged.limits.quantity,
        lowest=judged.limits.lowest,
        highest=judged.limits.highest,
        sources=sources,
    )
    return build_evidence(
        claim,
        decision,
        own,
        controls=controls,
        provenance=provenance(
            model,
            (task.forget, task.controls, task.test),
            task,
            models=models,
            original=original is not None,
            retrained=True,
            classes=removal.classes.tolist(),
            max_shift=limits.shift,
            max_share_left=share,
            require_controls=require_controls,
            outputs=outputs_digest(target),
        ),
        **({} if power is None else power.recorded),
        figures=(components_table(own, before), sent_table(target, original, references, removal.gone)),
    )


def _task_of(forget: Any) -> UnlearningTask:
    view = as_view(forget, "forget")
    if view.task is None or view.name != "forget":
        raise ValueError(
            "audit_class_forgotten needs to know which classes are retained, the test set and the retrained models: "
            "build an UnlearningTask and pass task.forget."
        )
    return view.task


def _removal(task: UnlearningTask) -> Removal:
    asked, kept = np.unique(task.forget.labels), np.unique(task.retain.labels)
    torn = np.intersect1d(asked, kept)
    if len(torn):
        left = int((task.retain.labels == torn[0]).sum())
        raise ValueError(
            f"class {torn[0]} is only partly forgotten: {left} of its training examples are retained. Forget all of "
            "them, or use audit_forgotten, which judges single examples."
        )
    gone, others = np.isin(task.controls.labels, asked), ~np.isin(task.test.labels, asked)
    unseen = np.setdiff1d(asked, task.controls.labels)
    if len(unseen):
        raise ValueError(f"no control of class {unseen[0]}: pass controls= with never-trained examples of it to Split.")
    if not others.any():
        raise ValueError("every test example is of a removed class: add examples of the others, for utility.")
    return Removal(classes=asked, gone=gone, kept=others)


def _asked(model: ModelHandle, task: UnlearningTask, output: Output) -> Answers:
    return Answers(forget=model.outputs(task.controls, output), controls=model.outputs(task.test, output))


def _distinct(task: UnlearningTask, output: Output) -> list[Answers]:
    """Ask the references; equal ones count once."""
    found: list[Answers] = []
    for answers in (_asked(task.models.of(model), task, output) for model in task.retrained):
        if not any(np.array_equal(answers.forget.logits, other.forget.logits) for other in found):
            found.append(answers)
    if len(found) < FEWEST_REFERENCES:
        raise ValueError(
            f"a removed class is judged by how retrained models differ among themselves: give the task "
            f"{FEWEST_REFERENCES} different references or more (a recipe, or trained models); it has {len(found)}."
        )
    return found


def _power(before: Sequence[Component], own: Sequence[Component], most: float) -> PowerCheck:
    """Check that the original knows the class, and bound what is left of that."""
    knows = [one for one in before if one.name in KNOWS]

    def share(audited: Component, original: Component) -> Estimate:
        return share_of_estimates(audited.estimate, original.estimate)

    left = [one for one in own if one.name in KNOWS]
    return power_check(knows, left, share, most, chance=0.0, what="the removed class is", where="by the original model")


def _vetoes(controls: Controls) -> list[Objection]:
    """Name the first reference that is unlike the others, and in what."""
    failed = [control for control in controls.retrained if not control.holds]
    return [
        invalid(f"the negative control fails: {control.summary} in {control.attack}", DISAGREE)
        for control in failed[:1]
    ]


def _more(judged: Decision[Component]) -> str:
    many = f"about {judged.needed:,} examples" if judged.needed is not None else "no number of examples"
    where = "test examples of the other classes" if judged.finding.name == UTILITY else "unseen examples of the class"
    return f"{many} would settle it: give more {where} or more references, or choose a wider limit"


def _scope(removal: Removal) -> str:
    names = ", ".join(map(str, removal.classes))
    return f"removed: class {names}; {removal.gone.sum()} unseen examples of it, {removal.kept.sum()} of other classes"
