"""What relearning shows: the curves, and how many steps each model takes."""

from __future__ import annotations

import math

import numpy as np

from pytest_unlearn.audits.relearning_areas import log_loss_area, retrained_curves
from pytest_unlearn.evidence import FloatArray
from pytest_unlearn.exhibits import Cell, Curves, Table
from pytest_unlearn.query import Query

NEAR_ENOUGH = 0.05  # AIN counts the steps until accuracy is within this of the original's


def learning_plot(curves: dict[str, FloatArray], query: Query) -> Curves:
    """Loss by step: the model, the original, and the band of references."""
    steps = tuple(float(step) for step in query.ask.looks)  # type: ignore[attr-defined]
    losses = {name: curve[..., 0].mean(axis=(0, 1)) for name, curve in curves.items()}
    shown = {name: loss for name, loss in losses.items() if not name.startswith("retrained")}
    retrained = [loss for name, loss in losses.items() if name.startswith("retrained")]
    shown |= {"highest retrained": np.max(retrained, axis=0), "lowest retrained": np.min(retrained, axis=0)}
    return Curves(
        title="Relearning",
        says="Loss on the forget set while a copy of each model is trained on it: "
        + ", ".join(f"{name} from {loss[0]:.2f} to {loss[-1]:.2f}" for name, loss in shown.items())
        + ". Under perfect unlearning the model's curve lies among those of retrained ones.",
        x_label="steps",
        y_label="loss",
        series={name: (steps, tuple(round(float(v), 5) for v in loss)) for name, loss in shown.items()},
    )


def anamnesis_table(curves: dict[str, FloatArray], query: Query) -> Table:
    """Steps until near the original's accuracy; where there is no original, near certainty."""
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
        says=f"Steps until a copy is right on {goal:.1%} of the forget set (within {NEAR_ENOUGH:.0%} of the original's "
        "accuracy) over the retrained models' mean: 1 under perfect unlearning, nearer 0 for left-over knowledge. "
        "Empty: not reached. No verdict depends on it.",
        columns=("model", "mean loss while relearning", "steps", "AIN"),
        rows=tuple(rows),
    )
