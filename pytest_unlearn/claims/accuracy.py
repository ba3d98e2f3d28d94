"""Paired claims of accuracy: a model and its baseline on the same examples.

`audit_utility` asks whether the model is still as accurate as it has to be, `audit_matches_retrained` whether it gets
as many examples right as retrained models do, no more and no fewer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from pytest_unlearn.attacks.signals import correctness
from pytest_unlearn.claims.common.alignment import Answered, misaligned_others, misaligned_views
from pytest_unlearn.claims.common.evidence import build_evidence, resolve_all
from pytest_unlearn.claims.common.inputs import removed_classes
from pytest_unlearn.claims.common.provenance import outputs_digest, provenance
from pytest_unlearn.claims.common.verdict import Decision, FailureKind, Finding, Objection, Wording, decide, judge
from pytest_unlearn.core.evidence import (
    Claim,
    ControlResult,
    Controls,
    Estimate,
    Evidence,
    FloatArray,
    Outputs,
    to_plain,
)
from pytest_unlearn.core.figures import Table
from pytest_unlearn.core.settings import CONFIDENCE, MAX_DROP, MAX_GAP, resolve
from pytest_unlearn.core.stored_arrays import StoredArrays
from pytest_unlearn.data.view import View, as_view
from pytest_unlearn.models.acceptance import check_model
from pytest_unlearn.models.handle import AuditHandles, ModelHandles
from pytest_unlearn.models.predict import Output, OutputKind, read_as
from pytest_unlearn.statistics import Measure, paired_difference

MOST_CLASSES = 40
ACCURACY = "accuracy"  # the kind of record that its scores are stored in


def audit_utility(
    model: Any,
    test: Any,
    max_drop: float = MAX_DROP,
    *,
    baseline: Any = "original",
    confidence: float = CONFIDENCE,
    output: Output = None,
    output_kind: OutputKind | None = None,
) -> Evidence:
    """Audit whether accuracy is at most `max_drop` below a baseline's.

    A paired non-inferiority claim.

    Args:
        model: the unlearned model, of any kind `audit_forgotten` takes.
        test: the test view of an `UnlearningTask` or its loader; or a bare DataLoader or dataset with `baseline=`.
        max_drop: largest tolerated drop in accuracy, from 0 and below 1. A perfect method's drop against "retrained"
            is 0; against "original" it is whatever the deleted data were worth.
        baseline: "original", "retrained" (the mean of the references), or a model or list of models.
        confidence: of the one-sided bound.
        output: which entry of a dict or tuple output holds the logits.
        output_kind: "logits", "probabilities" or "log-probabilities"; told by range and sum if it is not given.

    Returns:
        Evidence; its estimate is the drop, baseline minus model. PASS needs the upper bound within max_drop.

    Raises:
        ValueError: a bare loader without `baseline=`, or a task without such models.

    Source: Tango 1998, "Equivalence test and confidence interval for the difference in proportions for the
        paired-sample design", eq. 6-8.
    """
    output = read_as(output, output_kind)
    sources, (limit, confidence) = resolve_all(max_drop=max_drop, confidence=confidence)
    claim = Claim(name="utility", quantity="drop in accuracy", highest=limit, sources=sources)
    return conclude(model, compare(model, test, baseline, output=output), claim, confidence, "less accurate")


def audit_matches_retrained(
    model: Any,
    view: Any,
    max_gap: float = MAX_GAP,
    *,
    baseline: Any = "retrained",
    confidence: float = CONFIDENCE,
    output: Output = None,
    output_kind: OutputKind | None = None,
) -> Evidence:
    """Audit whether accuracy is within `max_gap` of retrained models', on both sides.

    A paired equivalence claim.

    On the forget view this is the literature's unlearning-accuracy gap (UA), on retain RA, on test TA.

    Args:
        model: the unlearned model, of any kind `audit_forgotten` takes.
        view: any view of an `UnlearningTask` or its loader; or a bare DataLoader or dataset with `baseline=`.
        max_gap: largest tolerated difference in accuracy, above 0 and below 1. Perfect unlearning gives 0.
        baseline: "retrained" (the mean of the references), or a retrained model or list of them.
        confidence: of each one-sided bound.
        output: which entry of a dict or tuple output holds the logits.
        output_kind: "logits", "probabilities" or "log-probabilities"; told by range and sum if it is not given.

    Returns:
        Evidence; its estimate is model minus references. PASS needs both bounds within max_gap.

    Raises:
        ValueError: a bare loader without `baseline=`, or a task without references.

    Source: two one-sided tests, Schuirmann 1987; Tango 1998 for one reference.
    """
    output = read_as(output, output_kind)
    sources, (limit, confidence) = resolve_all(max_gap=max_gap, confidence=confidence)
    claim = Claim(
        name="matches_retrained",
        quantity="accuracy minus the retrained models'",
        lowest=-limit,
        highest=limit,
        sources=sources,
    )
    return conclude(
        model, compare(model, view, baseline, output=output), claim, confidence, "unlike the retrained models"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Right answers of several models on one view, shape (models, examples).

    `named` says whether the baseline is the task's own.
    """

    view: View
    name: str
    named: bool
    ours: FloatArray
    theirs: FloatArray
    digest: str
    models: AuditHandles
    misaligned: Sequence[Objection]


def compare(model: Any, view: Any, baseline: Any, *, output: Output) -> Comparison:
    """Ask a model and its baseline which of their answers are right.

    Raises:
        ValueError: when the baseline is named but the view knows no task, or the task has no such models.
    """
    check_model(model)
    asked = as_view(view, "examples")
    _check_baseline(asked, baseline)
    own = asked.task.models if asked.task is not None else ModelHandles(np.unique(asked.labels))
    handles = own.for_audit()
    ours = handles.answers(model, (asked,), output)[0]  # one that cannot be audited costs no training
    name, models = _baseline(asked, baseline)
    answers = [handles.answers(one, (asked,), output)[0] for one in models]
    return Comparison(
        view=asked,
        name=name,
        named=isinstance(baseline, str),
        ours=correctness(ours),
        theirs=np.array([correctness(answer) for answer in answers]),
        digest=outputs_digest(ours),
        models=handles,
        misaligned=[
            *misaligned_views(model, {f"the {asked.name} examples": (ours, answers)}, columns=False),
            *_others_misaligned(asked, (model, ours), name, list(zip(models, answers, strict=True))),
        ],
    )


def _others_misaligned(
    view: View, ours: tuple[Any, Outputs], baseline: str, theirs: Sequence[tuple[Any, Outputs]]
) -> list[Objection]:
    """Return why the answers of the baseline may be in another order."""
    of, task = view.name, view.task
    several = baseline == "retrained"
    names = [f"{baseline} {k}" if several else f"the {baseline}" for k in range(len(theirs))]
    others = [Answered(name, model, {of: answers}) for name, (model, answers) in zip(names, theirs, strict=True)]
    return misaligned_others(
        Answered("the model", ours[0], {of: ours[1]}),
        None,
        others,
        unseen=() if of == "forget" else (of,),
        removed=partial(removed_classes, task) if several and task is not None else None,
    )


def conclude(model: Any, comparison: Comparison, claim: Claim, confidence: float, label: str) -> Evidence:
    """Judge a drop (baseline minus model) or a gap (model minus baseline)."""
    right = RightAnswers(
        ours=comparison.ours,
        theirs=comparison.theirs,
        of=comparison.view.name,
        baseline=comparison.name,
        misaligned=comparison.misaligned,
    )
    decision, finding, controls = decide_accuracy(right, claim, confidence, label)
    return build_evidence(
        claim,
        decision,
        [finding],
        controls=controls,
        provenance=provenance(
            model,
            (comparison.view,),
            comparison.view.task,
            models=comparison.models,
            original=comparison.named and comparison.name == "original",
            retrained=comparison.named and comparison.name == "retrained",
            baseline=comparison.name,
            outputs=comparison.digest,
            references=len(comparison.theirs),
        ),
        figures=(_classes(comparison),),
        scores=right.record(claim, confidence, label) if resolve("store_scores").value else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RightAnswers:
    """Which answers are right, 0 or 1, from which the conclusion on accuracy follows.

    `ours` [n] of the model, `theirs` [K, n] of the models of the `baseline`, on the examples `of` a view.
    """

    ours: FloatArray
    theirs: FloatArray
    of: str
    baseline: str
    misaligned: Sequence[Objection]

    def record(self, claim: Claim, confidence: float, label: str) -> dict[str, Any]:
        """Store it as plain data, with the arrays it takes."""
        arrays = StoredArrays()
        return {
            "kind": ACCURACY,
            "name": claim.name,
            "quantity": claim.quantity,
            "limits": [claim.lowest, claim.highest],
            "confidence": confidence,
            "label": label,
            "of": self.of,
            "baseline": self.baseline,
            "ours": arrays.put(self.ours),
            "theirs": arrays.put_rows(self.theirs),
            "misaligned": to_plain(list(self.misaligned)),
            "arrays": arrays,
        }


def decide_accuracy(
    right: RightAnswers, claim: Claim, confidence: float, label: str
) -> tuple[Decision[Finding], Finding, Controls]:
    """Decide on a claim from right answers alone: pure."""
    drop = claim.lowest is None
    measure = _difference(right.ours, right.theirs, drop=drop)
    failure = FailureKind(label, "repair the model on retain, or use a method that changes less")
    finding = Finding(
        name="accuracy", measure=measure, estimate=measure.at(confidence), failures={"high": failure, "low": failure}
    )
    judged = judge([finding], claim, confidence, wording=Wording(beyond="", unsettled=""), counted=True)
    needed = judged.needed
    many = f"about {needed:,} examples would settle it" if needed is not None else "no number of examples settles it"
    accuracy = {"model": float(right.ours.mean()), right.baseline: float(right.theirs.mean())}
    shown = ", ".join(f"{name} {value:.1%}" for name, value in accuracy.items())
    decision = decide(
        judged,
        vetoes=right.misaligned,
        advice=(f"{many}: test on more, or choose a limit that this many can certify",),
        scope=(f"accuracy on {len(right.ours)} {right.of} examples: {shown}",),
    )
    return decision, finding, _baselines(right, confidence, drop=drop)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """A difference in accuracy with its sign turned: baseline minus model."""

    gain: Measure

    @property
    def value(self) -> float:
        """The drop, 0 between equals."""
        return -self.gain.value

    def at(self, confidence: float) -> Estimate:
        """Bound the drop."""
        gain = self.gain.at(confidence)
        return replace(gain, value=-gain.value, low=-gain.high, high=-gain.low)


def _difference(ours: FloatArray, theirs: FloatArray, *, drop: bool) -> Measure:
    """Measure the paired difference of right answers to those of other models."""
    gain = paired_difference(ours, theirs[0] if len(theirs) == 1 else theirs)
    return Drop(gain=gain) if drop else gain


def _baselines(right: RightAnswers, confidence: float, *, drop: bool) -> Controls:
    """Measure each baseline against the others, a lone one against itself."""
    rows = []
    for k, row in enumerate(right.theirs):
        rest = np.delete(right.theirs, k, axis=0)
        estimate = _difference(row, rest if len(rest) else row[None], drop=drop).at(confidence)
        if not len(rest):  # the difference of a model to itself is known without any sampling
            estimate = replace(estimate, value=0.0, low=0.0, high=0.0, method="by definition")
        rows.append(
            ControlResult(
                name=right.baseline if not len(rest) else f"{right.baseline} {k}",
                holds=True,
                attack="accuracy",
                estimate=estimate,
                summary=f"accuracy {row.mean():.1%}",
            )
        )
    return Controls(retrained=tuple(rows)) if right.baseline == "retrained" else Controls(original=rows[0])


def _classes(comparison: Comparison) -> Table:
    labels = comparison.view.labels
    theirs = comparison.theirs.mean(axis=0)
    rows = []
    for label in np.unique(labels):
        chosen = labels == label
        ours, baseline = float(comparison.ours[chosen].mean()), float(theirs[chosen].mean())
        rows.append((int(label), int(chosen.sum()), round(ours, 4), round(baseline, 4), round(ours - baseline, 4)))
    kept = sorted(rows, key=lambda row: -abs(row[-1]))[:MOST_CLASSES]
    left_out = f" The {len(rows) - len(kept)} classes that differ least are left out." if len(kept) < len(rows) else ""
    return Table(
        title="Class by class",
        caption=f"Accuracy within each class; single classes are not part of the claim.{left_out}",
        columns=("class", "examples", "this model", comparison.name, "difference"),
        rows=tuple(sorted(kept)),
    )


def _check_baseline(view: View, baseline: Any) -> None:
    """Refuse a baseline that is none, before any is trained."""
    if baseline is None or (isinstance(baseline, str) and view.task is None):
        raise ValueError(
            "baseline= is missing. A bare DataLoader or dataset knows no other models: pass baseline= (the model to "
            "compare with, or a list of retrained ones), or build an UnlearningTask and pass its view."
        )
    if not isinstance(baseline, str):
        models = _listed(baseline)
        if not models:
            raise ValueError("baseline= is an empty list: pass a model to compare with, or several.")
        for number, model in enumerate(models):
            check_model(model, f"baseline[{number}]" if isinstance(baseline, (list, tuple)) else "baseline")
        return
    if baseline not in ("original", "retrained"):
        raise ValueError(f'baseline must be "original", "retrained", or a model, not {baseline!r}.')
    if baseline == "retrained" and view.task is not None and not view.task.has_references:
        raise ValueError("this task has no retrained references: give it a recipe, or references=[models].")


def _baseline(view: View, baseline: Any) -> tuple[str, Sequence[Any]]:
    if not isinstance(baseline, str):
        models = _listed(baseline)
        return ("retrained" if len(models) > 1 else "baseline"), models
    assert view.task is not None
    return baseline, [view.task.original] if baseline == "original" else view.task.retrained


def _listed(baseline: Any) -> Sequence[Any]:
    return list(baseline) if isinstance(baseline, (list, tuple)) else [baseline]
