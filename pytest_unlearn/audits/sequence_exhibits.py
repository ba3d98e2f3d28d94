"""What a sequence of requests shows: each step in a row, and how far the model drifts from retrained ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pytest_unlearn.audits.sequence_steps import Step, certificate_of
from pytest_unlearn.exhibits import Cell, Curves, Table

COLUMNS = (
    "request", "examples", "union", "AUC", "low", "high", "forgetting", "drop", "highest drop", "utility", "distance",
    "retrained's", "spent", "budget",
)  # fmt: skip


def steps_table(steps: Sequence[Step]) -> Table:
    """Request by request, what was asked, found and spent."""
    rows: list[tuple[Cell, ...]] = []
    for number, step in enumerate(steps, start=1):
        auc, drop, given = step.forgotten.estimate, step.utility.estimate, certificate_of(step.model)
        rows.append(
            (
                number,
                len(step.request),
                len(step.task.forget),
                *map(_rounded, (auc.value, auc.low, auc.high)),
                step.forgotten.verdict.value,
                *map(_rounded, (drop.value, drop.high)),
                step.utility.verdict.value,
                *map(_rounded, (step.distance, step.usual)),
                *([None, None] if given is None else [float(f"{part:.4g}") for part in (given.spent, given.budget)]),
            )
        )
    return Table(
        title="Request by request",
        says="The AUC that decides for the union so far, the drop in accuracy, the mean distance of the outputs on "
        "controls from retrained models' beside that of these from each other, and the certificate's budget where "
        "there is one. Verdicts are of each step by itself, before correction.",
        columns=COLUMNS,
        rows=tuple(rows),
    )


def accumulation_curves(steps: Sequence[Step]) -> Curves:
    """How far the model's outputs are from retrained models', request by request."""
    numbers = tuple(float(number) for number in range(1, len(steps) + 1))
    series = {
        name: (numbers, tuple(round(value, 6) for value in values))
        for name, values in (
            ("this model", [step.distance for step in steps]),
            ("retrained", [step.usual for step in steps]),
        )
        if np.isfinite(values).all()
    }
    return Curves(
        title="Error accumulation",
        says="Mean absolute difference in logit-scaled confidence on the controls, to the mean of retrained models: "
        "errors that add up from request to request rise above what retrained models differ by.",
        x_label="request",
        y_label="distance from the retrained models",
        series=series,
    )


def _rounded(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
