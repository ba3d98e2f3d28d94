"""Areas under relearning curves, relative to retrained models', and figures."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from pytest_unlearn.claims.common import advice
from pytest_unlearn.claims.common.verdict import Decision, FailureKind, Finding, Wording, judge
from pytest_unlearn.core.evidence import Claim, FloatArray, Side
from pytest_unlearn.core.figures import Cell, Curves, Table
from pytest_unlearn.models.query import Query
from pytest_unlearn.statistics import band

LEAST_SPREAD = 0.01  # of the logarithm of an area: loops differ by as much in their last digits

FAILURES: Mapping[Side, FailureKind] = {
    "low": FailureKind("relearns fast", advice.LEAK["recognisable"]),
    "high": FailureKind("relearns slowly", advice.LEAK["over-forgotten"]),
}
WORDING = Wording(
    beyond="",
    unsettled="the {finding.name}, give or take what one more retrained model varies, reaches beyond the limit",
)


def retrained_curves(curves: Mapping[str, FloatArray]) -> list[FloatArray]:
    """Return the references' curves, found by their names."""
    return [curve for name, curve in curves.items() if name.startswith("retrained")]


def log_loss_area(curve: FloatArray) -> float:
    """Return the mean over seeds of the log mean loss, over examples and looks."""
    return float(np.log(np.maximum(curve[..., 0].mean(axis=(0, 2)), np.finfo(np.float64).tiny)).mean())


def log_error_area(curve: FloatArray) -> float:
    """Return the log share of errors; none counts as half an example."""
    errors = 1.0 - curve[..., 1].mean(axis=(0, 2))
    return float(np.log(np.maximum(errors, 0.5 / len(curve))).mean())


AREAS: Mapping[str, Callable[[FloatArray], float]] = {
    "area under the loss": log_loss_area,
    "area under the error rate": log_error_area,
}


def measure_areas(
    curve: FloatArray, references: Sequence[FloatArray], n_forget: int, confidence: float
) -> list[Finding]:
    """Measure a model's areas beside the references', as differences of logarithms."""
    found = []
    for name, area in AREAS.items():
        measure = band(area(curve), [area(one) for one in references], n_forget=n_forget, least_spread=LEAST_SPREAD)
        times = f"the {name} while relearning is {math.exp(measure.distance):.3g} times that of retrained models"
        found.append(
            Finding(name=name, measure=measure, estimate=measure.at(confidence), failures=FAILURES, summary=times)
        )
    return found


def judge_areas(findings: Sequence[Finding], claim: Claim, confidence: float) -> Decision[Finding]:
    """Judge one model by its areas; the one that reaches farthest names a failure."""
    return judge(findings, claim, confidence, wording=WORDING, foremost=lambda one: claim.excess(one.estimate))


NEAR_ENOUGH = 0.05  # AIN counts the steps until accuracy is within this of the original's


def learning_plot(curves: dict[str, FloatArray], query: Query) -> Curves:
    """Draw the loss by step: the model, the original, and the band of references."""
    steps = tuple(float(step) for step in query.ask.looks)  # type: ignore[attr-defined]
    losses = {name: curve[..., 0].mean(axis=(0, 1)) for name, curve in curves.items()}
    shown = {name: loss for name, loss in losses.items() if not name.startswith("retrained")}
    retrained = [loss for name, loss in losses.items() if name.startswith("retrained")]
    shown |= {"highest retrained": np.max(retrained, axis=0), "lowest retrained": np.min(retrained, axis=0)}
    return Curves(
        title="Relearning",
        caption="Loss on the forget set while a copy of each model is trained on it: "
        + ", ".join(f"{name} from {loss[0]:.2f} to {loss[-1]:.2f}" for name, loss in shown.items())
        + ". Under perfect unlearning the model's curve lies among those of retrained ones.",
        x_label="steps",
        y_label="loss",
        series={name: (steps, tuple(round(float(v), 5) for v in loss)) for name, loss in shown.items()},
    )


def anamnesis_table(curves: dict[str, FloatArray], query: Query) -> Table:
    """Tabulate the steps to the original's accuracy, or near certainty."""
    looks = query.ask.looks  # type: ignore[attr-defined]
    goal = 1.0
    if "original" in curves:
        goal = float(curves["original"][:, :, 0, 1].mean())
    goal -= NEAR_ENOUGH

    def steps(curve: FloatArray) -> float | None:
        reached = np.flatnonzero(curve[..., 1].mean(axis=(0, 1)) >= goal)
        return float(looks[reached[0]]) if len(reached) else None

    usual = [found for curve in retrained_curves(curves) if (found := steps(curve)) is not None]
    mean = float(np.mean(usual)) if usual else None
    rows: list[tuple[Cell, ...]] = []
    for name, curve in curves.items():
        needed = steps(curve)
        ain = round(needed / mean, 3) if needed is not None and mean else None
        rows.append((name, round(math.exp(log_loss_area(curve)), 4), needed, ain))
    return Table(
        title="Anamnesis index",
        caption=f"Steps until a copy is right on {goal:.1%} of the forget set (within {NEAR_ENOUGH:.0%} of the "
        "original's "
        "accuracy) over the retrained models' mean: 1 under perfect unlearning, nearer 0 for left-over knowledge. "
        "Empty: not reached. No verdict depends on it.",
        columns=("model", "mean loss while relearning", "steps", "AIN"),
        rows=tuple(rows),
    )
