"""audit_class_forgotten: does the model treat unseen examples of a removed class as retrained models treat them?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_unlearn.claims.class_forgotten.components import (
    GAPS,
    KNOWS,
    UTILITY,
    Finding,
    Limits,
    Part,
    judge_parts,
    parts_of,
    parts_table,
    sent_table,
)
from pytest_unlearn.claims.common import advice
from pytest_unlearn.claims.common.provenance import outputs_digest, provenance
from pytest_unlearn.core.evidence import Answers, Claim, ControlResult, Controls, Evidence, IntArray, Verdict
from pytest_unlearn.core.settings import CONFIDENCE, MAX_DROP, MAX_GAP, REQUIRE_CONTROLS, resolve
from pytest_unlearn.data.view import as_view
from pytest_unlearn.models.handle import ModelHandle
from pytest_unlearn.models.predict import Output
from pytest_unlearn.task import UnlearningTask

MAX_SHIFT = 0.15
FEWEST_REFERENCES = 3  # each is judged by the others, and these have to vary
DISAGREE = "allow for it with a larger limit, train longer so that seeds matter less, or give more references"
ELSEWHERE = (
    "repair the model on retain: what it makes of the class shows that it was removed, or that it is still known"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """The classes that are removed, and which unseen examples are of them and which test examples are not."""

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
) -> Evidence:
    """Are never-trained examples of a removed class treated as models treat them that never knew the class?

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
    gap, drop, level = (
        resolve(name, value)
        for name, value in (("max_gap", max_gap), ("max_drop", max_drop), ("confidence", confidence))
    )
    strict = resolve("require_controls", require_controls)
    if not 0 < max_shift < 1:
        raise ValueError(f"max_shift must be a number above 0 and below 1, not {max_shift!r}")
    task = _task_of(forget)
    removal = _removal(task)
    references = _distinct(task, output)
    limits = Limits(gap=gap.value, shift=float(max_shift), drop=drop.value)

    def parts(one: Answers, others: Sequence[Answers]) -> tuple[Part, ...]:
        return parts_of(one, others, removal.gone, removal.kept, limits)

    models = task.models.for_audit()
    target = _asked(models.of(model), task, output)
    original = _asked(models.of(task.original), task, output) if task.has_original else None
    own = parts(target, references)
    finding = judge_parts(own, level.value)
    known = parts(original, references) if original is not None else None
    controls = Controls(
        original=None if known is None else _positive(known, level.value),
        retrained=tuple(
            _negative(k, judge_parts(parts(one, references[:k] + references[k + 1 :]), level.value))
            for k, one in enumerate(references)
        ),
    )
    verdict, reasons, then = _rule(finding, controls, strict.value)
    needed = None
    if verdict is Verdict.INCONCLUSIVE and finding.verdict is Verdict.INCONCLUSIVE:
        needed = advice.needed_examples(finding.estimate, finding.part.lowest, finding.part.highest)
        then = (*then, _more(finding, needed))
    sources = {"max_gap": gap, "max_drop": drop, "confidence": level, "require_controls": strict}
    return Evidence(
        claim=Claim(
            name="class_forgotten",
            quantity=finding.part.quantity,
            lowest=finding.part.lowest,
            highest=finding.part.highest,
            sources={name: setting.source for name, setting in sources.items()},
        ),
        verdict=verdict,
        estimate=finding.estimate,
        decided_by=finding.part.name,
        label=_label(finding) if verdict is Verdict.FAIL else "",
        attacks={part.name: part.measure.at(level.value) for part in own},
        deciding=GAPS,
        controls=controls,
        reasons=(_scope(removal), *reasons),
        advice=then,
        needed=needed,
        provenance=provenance(
            model,
            (task.forget, task.controls, task.test),
            task,
            models=models,
            original=original is not None,
            retrained=True,
            classes=removal.classes.tolist(),
            max_shift=limits.shift,
            require_controls=strict.value,
            outputs=outputs_digest(target),
        ),
        exhibits=(parts_table(own, known, level.value), sent_table(target, original, references, removal.gone)),
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
    """The references' outputs; equal ones count once."""
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


def _positive(parts: Sequence[Part], confidence: float) -> ControlResult:
    part = max((part for part in parts if part.name in KNOWS), key=lambda one: one.measure.at(confidence).low)
    estimate = part.measure.at(confidence)
    knows = estimate.low > part.highest
    says = "the original knows the class" if knows else "the original does not know the class with certainty"
    return ControlResult(name="original", holds=knows, attack=part.name, estimate=estimate, says=says)


def _negative(k: int, finding: Finding) -> ControlResult:
    failed = finding.verdict is Verdict.FAIL
    says = "is unlike the other retrained models" if failed else "is like the other retrained models"
    return ControlResult(
        name=f"retrained {k}",
        holds=not failed,
        attack=finding.part.name,
        estimate=finding.estimate,
        says=f"retrained {k} {says}",
    )


def _rule(finding: Finding, controls: Controls, strict: bool) -> tuple[Verdict, tuple[str, ...], tuple[str, ...]]:
    """INVALID, then FAIL, then INCONCLUSIVE, then PASS."""
    failed = [control for control in controls.retrained if not control.holds]
    if failed:
        return Verdict.INVALID, (f"the negative control fails: {failed[0].says} in {failed[0].attack}",), (DISAGREE,)
    if finding.verdict is Verdict.FAIL:
        return Verdict.FAIL, (f"{_label(finding)}: {finding.reason}",), (ELSEWHERE,)
    doubts = [finding.reason] if finding.verdict is Verdict.INCONCLUSIVE else []
    then: tuple[str, ...] = ()
    if controls.original is not None and not controls.original.holds:
        doubts.append(f"no power: {controls.original.says}")
        then = ("with an original that does not know the class there is nothing to forget, and nothing is shown",)
    if controls.original is None and strict:
        doubts.append("no positive control: there is no original model")
        then = (advice.NO_ORIGINAL,)
    notes = () if strict else ("require_controls=False: missing controls were accepted by the caller",)
    return (Verdict.INCONCLUSIVE if doubts else Verdict.PASS), (*doubts, *notes), then


def _label(finding: Finding) -> str:
    if finding.part.name == UTILITY:
        return "less accurate"
    if finding.part.name in KNOWS:
        return "still known" if finding.estimate.value > 0 else "over-forgotten"
    return "unlike the retrained models"


def _more(finding: Finding, needed: int | None) -> str:
    many = f"about {needed:,} examples" if needed is not None else "no number of examples"
    where = "test examples of the other classes" if finding.part.name == UTILITY else "unseen examples of the class"
    return f"{many} would settle it: give more {where} or more references, or choose a wider limit"


def _scope(removal: Removal) -> str:
    names = ", ".join(map(str, removal.classes))
    return f"removed: class {names}; {removal.gone.sum()} unseen examples of it, {removal.kept.sum()} of other classes"
