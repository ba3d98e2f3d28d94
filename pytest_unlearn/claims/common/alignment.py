"""Alignment: whether a model's answers stand in the order of the examples and of the labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_unlearn.attacks.signals import correctness
from pytest_unlearn.claims.common.advice import OUT_OF_ORDER
from pytest_unlearn.claims.common.verdict import Objection, invalid
from pytest_unlearn.core.evidence import Answers, Outputs
from pytest_unlearn.models.adapters import is_estimator, is_module

AT_CHANCE = 3.0  # standard errors that guesses lie around what they get right on average
ABOVE_CHANCE = 5.0  # standard errors that comparable models lie above it at least
RESTORED = 0.8  # of what comparable models get right beyond chance, got right in another order


def misaligned(model: Any, target: Answers, comparable: Sequence[Answers]) -> list[Objection]:
    """Return why a model's answers on forget set or controls may be in another order."""
    sides = {
        "the forget set": (target.forget, [answers.forget for answers in comparable]),
        "the controls": (target.controls, [answers.controls for answers in comparable]),
    }
    return misaligned_views(model, sides)


def misaligned_views(model: Any, sides: Mapping[str, tuple[Outputs, Sequence[Outputs]]]) -> list[Objection]:
    """Return why a model's answers may be in another order than the examples, or labels.

    Such a model guesses where comparable models are right, and is as right as they are once its rows, or its columns,
    are rearranged. What it remembers cannot be read from it, nor that it forgot. Rows of a module or an estimator are
    in order, since it was asked about the examples themselves.

    Args:
        model: the model, of any kind.
        sides: by what it is called, a set's answers of the model, and those of comparable models.
    """
    computed = is_module(model) or is_estimator(model)
    for where, (ours, theirs) in sides.items():
        table = _Table.of(ours)
        usual = float(np.mean([correctness(one).mean() for one in theirs])) if theirs else 0.0
        if usual <= table.chance + ABOVE_CHANCE * table.error or table.right > table.chance + AT_CHANCE * table.error:
            continue
        guesses = table.right >= table.chance - AT_CHANCE * table.error
        for what, otherwise, possible in (
            ("rows", table.rows_rearranged, guesses and not computed),
            ("columns", table.columns_rearranged, len(np.unique(ours.labels)) > 1),
        ):
            if possible and otherwise - table.chance >= RESTORED * (usual - table.chance):
                return [
                    invalid(
                        f"outputs misaligned? on {where} the model is right on {table.right:.1%}, as by chance, and "
                        f"comparable models on {usual:.1%}; with its {what} in another order it would be right on "
                        f"{otherwise:.1%}",
                        OUT_OF_ORDER,
                    )
                ]
    return []


@dataclass(frozen=True, slots=True)
class _Table:
    """Shares right: as it stands, by chance with its standard error, and rearranged."""

    right: float
    chance: float
    error: float
    rows_rearranged: float
    columns_rearranged: float

    @staticmethod
    def of(outputs: Outputs) -> _Table:
        from scipy.optimize import linear_sum_assignment

        n, columns = outputs.logits.shape
        counts = np.zeros((columns, columns))
        np.add.at(counts, (outputs.labels, outputs.logits.argmax(axis=1)), 1)
        labels, answers = counts.sum(axis=1) / n, counts.sum(axis=0) / n
        chance = float(labels @ answers)
        best = linear_sum_assignment(counts, maximize=True)
        return _Table(
            right=float(np.trace(counts)) / n,
            chance=chance,
            error=float(np.sqrt(chance * (1 - chance) / n)),
            rows_rearranged=float(np.minimum(labels, answers).sum()),
            columns_rearranged=float(counts[best].sum()) / n,
        )
