"""audit_utility: is the unlearned model still as accurate as it has to be?

audit_matches_retrained: does the model get as many examples right as retrained models do, no more and no fewer?

What the paired claims share: one model's right answers against its baseline's on the same examples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pytest_unlearn.attacks.signals import correctness
from pytest_unlearn.claims.common import advice
from pytest_unlearn.claims.common.provenance import outputs_digest, provenance
from pytest_unlearn.core.evidence import Claim, ControlResult, Controls, Estimate, Evidence, FloatArray, Verdict
from pytest_unlearn.core.figures import Table
from pytest_unlearn.core.settings import CONFIDENCE, MAX_DROP, MAX_GAP, resolve
from pytest_unlearn.data.view import View, as_view
from pytest_unlearn.models.handle import AuditHandles, ModelHandles
from pytest_unlearn.models.predict import Output
from pytest_unlearn.statistics import Measure, holm, p_value, paired_difference


def audit_utility(
    model: Any,
    test: Any,
    max_drop: float = MAX_DROP,
    *,
    baseline: Any = "original",
    confidence: float = CONFIDENCE,
    output: Output = None,
) -> Evidence:
    """Is the model's accuracy at most `max_drop` below its baseline's? A paired non-inferiority claim.

    Args:
        model: the unlearned model, of any kind `audit_forgotten` takes.
        test: the test view of an `UnlearningTask` or its loader; or a bare DataLoader or dataset with `baseline=`.
        max_drop: largest tolerated drop in accuracy, from 0 and below 1. A perfect method's drop against "retrained"
            is 0; against "original" it is whatever the deleted data were worth.
        baseline: "original", "retrained" (the mean of the references), or a model or list of models.
        confidence: of the one-sided bound.
        output: which entry of a dict or tuple output holds the logits.

    Returns:
        Evidence; its estimate is the drop, baseline minus model. PASS needs the upper bound within max_drop.

    Raises:
        ValueError: a bare loader without `baseline=`, or a task without such models.

    Source: Tango 1998, "Equivalence test and confidence interval for the difference in proportions for the
        paired-sample design", eq. 6-8.
    """
    limit, level = resolve("max_drop", max_drop), resolve("confidence", confidence)
    claim = Claim(
        name="utility",
        quantity="drop in accuracy",
        highest=limit.value,
        sources={"max_drop": limit.source, "confidence": level.source},
    )
    return conclude(model, compare(model, test, baseline, output=output), claim, level.value, drop=True)


def audit_matches_retrained(
    model: Any,
    view: Any,
    max_gap: float = MAX_GAP,
    *,
    baseline: Any = "retrained",
    confidence: float = CONFIDENCE,
    output: Output = None,
) -> Evidence:
    """Is the model's accuracy within `max_gap` of the retrained references', on either side? A paired equivalence.

    On the forget view this is the literature's unlearning-accuracy gap (UA), on retain RA, on test TA.

    Args:
        model: the unlearned model, of any kind `audit_forgotten` takes.
        view: any view of an `UnlearningTask` or its loader; or a bare DataLoader or dataset with `baseline=`.
        max_gap: largest tolerated difference in accuracy, above 0 and below 1. Perfect unlearning gives 0.
        baseline: "retrained" (the mean of the references), or a retrained model or list of them.
        confidence: of each one-sided bound.
        output: which entry of a dict or tuple output holds the logits.

    Returns:
        Evidence; its estimate is model minus references. PASS needs both bounds within max_gap.

    Raises:
        ValueError: a bare loader without `baseline=`, or a task without references.

    Source: two one-sided tests, Schuirmann 1987; Tango 1998 for one reference.
    """
    limit, level = resolve("max_gap", max_gap), resolve("confidence", confidence)
    claim = Claim(
        name="matches_retrained",
        quantity="accuracy minus the retrained models'",
        lowest=-limit.value,
        highest=limit.value,
        sources={"max_gap": limit.source, "confidence": level.source},
    )
    return conclude(model, compare(model, view, baseline, output=output), claim, level.value, drop=False)


MOST_CLASSES = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A view, the models compared on it, and which of their answers were right (models, examples).

    `named` says whether the baseline is the task's own.
    """

    view: View
    name: str
    named: bool
    ours: FloatArray
    theirs: FloatArray
    digest: str
    models: AuditHandles


def compare(model: Any, view: Any, baseline: Any, *, output: Output) -> Comparison:
    """Right answers of a model and of its baseline: "original", "retrained", or a model or list of models.

    Raises:
        ValueError: when the baseline is named but the view knows no task, or the task has no such models.
    """
    known = as_view(view, "examples")
    name, models = _baseline(known, baseline)
    own = known.task.models if known.task is not None else ModelHandles(np.unique(known.labels))
    handles = own.for_audit()
    ours, *answers = (handles.of(one).outputs(known, output) for one in (model, *models))
    return Comparison(
        view=known,
        name=name,
        named=isinstance(baseline, str),
        ours=correctness(ours),
        theirs=np.array([correctness(answer) for answer in answers]),
        digest=outputs_digest(ours),
        models=handles,
    )


def conclude(model: Any, comparison: Comparison, claim: Claim, confidence: float, *, drop: bool) -> Evidence:
    """Judge the paired difference in accuracy (baseline minus model for a drop, else model minus baseline)."""
    theirs = comparison.theirs[0] if len(comparison.theirs) == 1 else comparison.theirs
    measure = paired_difference(comparison.ours, theirs)
    estimate = _estimate(measure, confidence, drop=drop)
    verdict = _judge(measure, estimate, claim, confidence, drop=drop)
    accuracy = {"model": float(comparison.ours.mean()), comparison.name: float(comparison.theirs.mean())}
    shown = ", ".join(f"{name} {value:.1%}" for name, value in accuracy.items())
    needed = None
    if verdict is Verdict.INCONCLUSIVE:
        needed = advice.needed_examples(estimate, claim.lowest, claim.highest)
    return Evidence(
        claim=claim,
        verdict=verdict,
        estimate=estimate,
        decided_by="accuracy",
        label="" if verdict is not Verdict.FAIL else "less accurate" if drop else "unlike the retrained models",
        attacks={"accuracy": estimate},
        deciding=("accuracy",),
        controls=_baselines(comparison, confidence, drop=drop),
        reasons=(f"accuracy on {len(comparison.view)} {comparison.view.name} examples: {shown}",),
        advice=_advice(verdict, needed),
        needed=needed,
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
        exhibits=(_classes(comparison),),
    )


def _judge(measure: Measure, estimate: Estimate, claim: Claim, confidence: float, *, drop: bool) -> Verdict:
    sides = []
    if claim.highest is not None:
        sides.append(p_value(measure, -claim.highest, "low") if drop else p_value(measure, claim.highest, "high"))
    if claim.lowest is not None:
        sides.append(p_value(measure, claim.lowest, "low"))
    if (holm(np.array(sides)) <= 1 - confidence).any():
        return Verdict.FAIL
    too_high = claim.highest is not None and estimate.high > claim.highest
    too_low = claim.lowest is not None and estimate.low < claim.lowest
    return Verdict.INCONCLUSIVE if too_high or too_low else Verdict.PASS


def _estimate(measure: Measure, confidence: float, *, drop: bool) -> Estimate:
    estimate = measure.at(confidence)
    if not drop:
        return estimate
    return replace(estimate, value=-estimate.value, low=-estimate.high, high=-estimate.low)


def _baselines(comparison: Comparison, confidence: float, *, drop: bool) -> Controls:
    """Each baseline under the claim's own measure: a lone one is its own baseline, others are judged by the rest."""
    rows = []
    for k, right in enumerate(comparison.theirs):
        rest = np.delete(comparison.theirs, k, axis=0)
        others = right if not len(rest) else rest[0] if len(rest) == 1 else rest
        estimate = _estimate(paired_difference(right, others), confidence, drop=drop)
        if not len(rest):  # the difference of a model to itself is known without any sampling
            estimate = replace(estimate, value=0.0, low=0.0, high=0.0, method="by definition")
        rows.append(
            ControlResult(
                name=comparison.name if not len(rest) else f"{comparison.name} {k}",
                holds=True,
                attack="accuracy",
                estimate=estimate,
                says=f"accuracy {right.mean():.1%}",
            )
        )
    return Controls(retrained=tuple(rows)) if comparison.name == "retrained" else Controls(original=rows[0])


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
        says=f"Accuracy within each class; single classes are not part of the claim.{left_out}",
        columns=("class", "examples", "this model", comparison.name, "difference"),
        rows=tuple(sorted(kept)),
    )


def _advice(verdict: Verdict, needed: int | None) -> tuple[str, ...]:
    if verdict is Verdict.INCONCLUSIVE:
        many = (
            f"about {needed:,} examples would settle it" if needed is not None else "no number of examples settles it"
        )
        return (f"{many}: test on more, or choose a limit that this many can certify",)
    if verdict is Verdict.FAIL:
        return ("repair the model on retain, or use a method that changes less",)
    return ()


def _baseline(view: View, baseline: Any) -> tuple[str, Sequence[Any]]:
    if baseline is None or (isinstance(baseline, str) and view.task is None):
        raise ValueError(
            "baseline= is missing. A bare DataLoader or dataset knows no other models: pass baseline= (the model to "
            "compare with, or a list of retrained ones), or build an UnlearningTask and pass its view."
        )
    if not isinstance(baseline, str):
        models = list(baseline) if isinstance(baseline, (list, tuple)) else [baseline]
        return ("retrained" if len(models) > 1 else "baseline"), models
    assert view.task is not None
    if baseline not in ("original", "retrained"):
        raise ValueError(f'baseline must be "original", "retrained", or a model, not {baseline!r}.')
    models = [view.task.original] if baseline == "original" else view.task.retrained
    if not models:
        raise ValueError("this task has no retrained references: give it a recipe, or references=[models].")
    return baseline, models
