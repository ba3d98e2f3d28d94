"""Several tests at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pytest_unlearn.evidence import FloatArray
from pytest_unlearn.statistics.validation import vector


def holm(p_values: ArrayLike) -> FloatArray:
    """Which of several p-values remain small after paying for having looked at all of them?

    `p_values` [K] in [0, 1]. Returns the adjusted p-values in the input order: rejecting those up to alpha errs on any
    true null with probability at most alpha, whatever the dependence. Raises ValueError for values outside [0, 1].
    Source: Holm 1979.
    """
    values = vector("p_values", p_values)
    if np.any((values < 0.0) | (values > 1.0)):
        raise ValueError(f"p_values must lie in [0, 1], not [{values.min():g}, {values.max():g}]")
    order = np.argsort(values, kind="stable")
    steps = np.maximum.accumulate(np.minimum(1.0, values[order] * np.arange(values.size, 0, -1)))
    adjusted = np.empty_like(values)
    adjusted[order] = steps
    return adjusted
