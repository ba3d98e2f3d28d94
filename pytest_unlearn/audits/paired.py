"""What the paired claims share: one model's right answers against its baseline's on the same examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_unlearn.attacks.signals import correctness
from pytest_unlearn.audits import advice
from pytest_unlearn.audits.provenance import outputs_digest, provenance
from pytest_unlearn.evidence import Claim, ControlResult, Controls, Estimate, Evidence, FloatArray, Verdict
from pytest_unlearn.outputs import Output, evaluate
from pytest_unlearn.statistics import Measure, holm, p_value, paired_difference
from pytest_unlearn.views import View, as_view


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A view, the models compared on it, and which of their answers were right (models, examples)."""

    view: View
    name: str
    ours: FloatArray
    theirs: FloatArray
    digest: str


def compare(model: Any, view: Any, baseline: Any, *, output: Output) -> Comparison:
    """Right answers of a model and of its baseline: "original", "retrained", or a model or list of models.

    Raises:
        ValueError: when the baseline is named but the view knows no task, or the task has no such models.
    """
    known = as_view(view, "examples")
    name, models = _baseline(known, baseline)
    classes = known.task.split.classes if known.task is not None else np.unique(known.labels)
    device = known.task.device if known.task is not None else None
    ours = evaluate(model, known, classes=classes, output=output, device=device)
    if known.task is not None and isinstance(baseline, str):
        answers = [known.task.outputs(other, known, output) for other in models]
    else:
        answers = [evaluate(other, known, classes=classes, output=output, device=device) for other in models]
    return Comparison(
        view=known,
        name=name,
        ours=correctness(ours),
        theirs=np.array([correctness(answer) for answer in answers]),
        digest=outputs_digest(ours),
    )


def conclude(model: Any, comparison: Comparison, claim: Claim, confidence: float, *, drop: bool) -> Evidence:
    """Judge the paired difference in accuracy (baseline minus model for a drop, else model minus baseline)."""
    theirs = comparison.theirs[0] if len(comparison.theirs) == 1 else comparison.theirs
    measure = paired_difference(comparison.ours, theirs)
    estimate = measure.at(confidence)
    if drop:
        estimate = Estimate(
            value=-estimate.value,
            low=-estimate.high,
            high=-estimate.low,
            confidence=confidence,
            method=estimate.method,
            n_forget=estimate.n_forget,
        )
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
        controls=_shown(comparison, confidence),
        reasons=(f"accuracy on {len(comparison.view)} {comparison.view.name} examples: {shown}",),
        advice=_advice(verdict, needed),
        needed=needed,
        provenance=provenance(
            model,
            (comparison.view,),
            comparison.view.task,
            baseline=comparison.name,
            outputs=comparison.digest,
            references=len(comparison.theirs),
        ),
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


def _shown(comparison: Comparison, confidence: float) -> Controls:
    """The baselines' own accuracy, so that a reader sees what the model is compared with."""
    everything = [
        ControlResult(
            name=comparison.name if len(comparison.theirs) == 1 else f"{comparison.name} {k}",
            holds=True,
            attack="accuracy",
            estimate=_accuracy(right, confidence),
            says=f"accuracy {right.mean():.1%}",
        )
        for k, right in enumerate(comparison.theirs)
    ]
    if comparison.name == "retrained":
        return Controls(retrained=tuple(everything))
    return Controls(original=everything[0])


def _accuracy(right: FloatArray, confidence: float) -> Estimate:
    from pytest_unlearn.statistics import wilson

    low, high = wilson(int(right.sum()), len(right), 2 * confidence - 1)
    return Estimate(
        value=float(right.mean()), low=low, high=high, confidence=confidence, method="Wilson", n_forget=len(right)
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
