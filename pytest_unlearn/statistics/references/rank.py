"""Rank a statistic among those of models retrained without the forget set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from pytest_unlearn.statistics.validation import vector

ENOUGH = 8  # below this many models a rank means next to nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class EmpiricalNull:
    """Hold a value's place among `models` others; ties count against it.

    `above` of them exceed it. `p_high` is the share of models, itself included, that are as high or higher; `p_low`
    likewise. With M models neither is ever below 1/(M+1).
    """

    value: float
    lowest: float
    highest: float
    models: int
    above: int
    p_high: float
    p_low: float

    @property
    def p(self) -> float:
        """Two-sided, at most 1."""
        return min(1.0, 2.0 * min(self.p_high, self.p_low))


def empirical_null(value: float, others: ArrayLike) -> EmpiricalNull:
    """Rank a model's statistic among those of retrained models.

    Args:
        value: the unlearned model's statistic.
        others: the retrained models' statistics, shape (models,), eight or more.

    Returns:
        Its rank. Under exact unlearning the model is one more retrained model and every rank is equally likely, so that
        P(p_high <= a) <= a; exactly so if value and others are computed alike. Source: Phipson & Smyth 2010.

    Raises:
        ValueError: fewer than eight models, or a value that is not finite.
    """
    null = vector("others", others)
    if null.size < ENOUGH:
        raise ValueError(f"an empirical null needs {ENOUGH} retrained models or more, not {null.size}")
    if not np.isfinite(value):
        raise ValueError(f"value must be a finite number, not {value!r}")
    return EmpiricalNull(
        value=value,
        lowest=float(null.min()),
        highest=float(null.max()),
        models=null.size,
        above=int((null > value).sum()),
        p_high=float(((null >= value).sum() + 1) / (null.size + 1)),
        p_low=float(((null <= value).sum() + 1) / (null.size + 1)),
    )
