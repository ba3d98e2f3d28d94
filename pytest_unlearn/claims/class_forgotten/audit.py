"""Audit of a removed class: unseen examples of it, beside retrained models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_unlearn.claims.class_forgotten.components import Limits, read_out
from pytest_unlearn.claims.class_forgotten.conclusion import Removed, conclude
from pytest_unlearn.claims.common.alignment import Answered, misaligned_others, misaligned_views
from pytest_unlearn.claims.common.evidence import resolve_all
from pytest_unlearn.claims.common.provenance import outputs_digest, provenance
from pytest_unlearn.claims.common.verdict import Objection
from pytest_unlearn.core.arguments import finite_number
from pytest_unlearn.core.evidence import Answers, Evidence, IntArray
from pytest_unlearn.core.settings import CONFIDENCE, MAX_DROP, MAX_GAP, MAX_SHARE_LEFT, REQUIRE_CONTROLS, resolve
from pytest_unlearn.data.view import as_view
from pytest_unlearn.models.acceptance import check_model
from pytest_unlearn.models.handle import AuditHandles
from pytest_unlearn.models.predict import Output, OutputKind, read_as
from pytest_unlearn.task import UnlearningTask

MAX_SHIFT = 0.15
FEWEST_REFERENCES = 3  # each is judged by the others, and these have to vary


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
    output_kind: OutputKind | None = None,
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
        output_kind: "logits", "probabilities" or "log-probabilities"; told by range and sum if it is not given.
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
    output = read_as(output, output_kind)
    sources, (gap, drop, confidence, require_controls, share) = resolve_all(
        max_gap=max_gap,
        max_drop=max_drop,
        confidence=confidence,
        require_controls=require_controls,
        max_share_left=max_share_left,
    )
    max_shift = finite_number(max_shift, "max_shift", 0, 1)
    check_model(model)
    task = _task_of(forget)
    removal = _removal(task)
    models = task.models.for_audit()
    target = _asked(model, task, models, output)  # one that cannot be audited costs no training
    references = _distinct(task, models, output)
    original = _asked(task.original, task, models, output) if task.has_original else None
    gone, kept = removal.gone, removal.kept
    misaligned = {"the test examples": (target.controls, [one.controls for one in references])}
    removed = Removed(
        target=read_out(target, gone, kept),
        references=[read_out(one, gone, kept) for one in references],
        original=None if original is None else read_out(original, gone, kept),
        labels=target.forget.labels[gone],
        classes=", ".join(map(str, removal.classes)),
        limits=Limits(gap=gap, shift=float(max_shift), drop=drop),
        confidence=confidence,
        require_controls=require_controls,
        max_share_left=share,
        misaligned=[*misaligned_views(model, misaligned), *_others_misaligned(model, task, models, output)],
    )
    return conclude(
        removed,
        sources,
        provenance=provenance(
            model,
            (task.forget, task.controls, task.test),
            task,
            models=models,
            original=original is not None,
            retrained=True,
            classes=removal.classes.tolist(),
            max_shift=removed.limits.shift,
            max_share_left=share,
            require_controls=require_controls,
            outputs=outputs_digest(target),
        ),
        scores=removed.record() if resolve("store_scores").value else None,
    )


def _others_misaligned(model: Any, task: UnlearningTask, models: AuditHandles, output: Output) -> list[Objection]:
    """Return why the answers of original or retrained models on test may be in another order."""

    def answered(name: str, one: Any) -> Answered:
        return Answered(name, one, {"test": _asked(one, task, models, output).controls})

    return misaligned_others(
        answered("the model", model),
        answered("the original", task.original) if task.has_original else None,
        [answered(f"retrained {k}", one) for k, one in enumerate(task.retrained)],
        unseen=("test",),
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
            f"class {task.split.train.name_of(torn[0])} is only partly forgotten: {left} of its training examples are "
            "retained. Forget all of them, or use audit_forgotten, which judges single examples."
        )
    gone, others = np.isin(task.controls.labels, asked), ~np.isin(task.test.labels, asked)
    unseen = np.setdiff1d(asked, task.controls.labels)
    if len(unseen):
        raise ValueError(f"no control of class {unseen[0]}: pass controls= with never-trained examples of it to Split.")
    if not others.any():
        raise ValueError("every test example is of a removed class: add examples of the others, for utility.")
    return Removal(classes=asked, gone=gone, kept=others)


def _asked(model: Any, task: UnlearningTask, models: AuditHandles, output: Output) -> Answers:
    forget, controls = models.answers(model, (task.controls, task.test), output)
    return Answers(forget=forget, controls=controls)


def _distinct(task: UnlearningTask, models: AuditHandles, output: Output) -> list[Answers]:
    """Ask the references; equal ones count once."""
    found: list[Answers] = []
    count = task.references if isinstance(task.references, int) else len(task.references)
    if not task.has_references or count < FEWEST_REFERENCES:
        raise _too_few(count if task.has_references else 0)
    for answers in (_asked(model, task, models, output) for model in task.retrained):
        if not any(np.array_equal(answers.forget.logits, other.forget.logits) for other in found):
            found.append(answers)
    if len(found) < FEWEST_REFERENCES:
        raise _too_few(len(found))
    return found


def _too_few(count: int) -> ValueError:
    return ValueError(
        f"a removed class is judged by how retrained models differ among themselves: give the task "
        f"{FEWEST_REFERENCES} different references or more (a recipe, or trained models); it has {count}."
    )
