"""Define what every statistic can be asked: a value, bounds, a p-value.

Also here: Holm's correction for several tests, and the largest or smallest of several quantities, with bounds that pay
for having looked at all of them.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from pytest_unlearn.core.evidence import Estimate, FloatArray, Side
from pytest_unlearn.statistics.validation import vector

_SMALLEST, _LARGEST = 1e-12, 0.5 - 1e-9


class Measure(Protocol):
    """Estimate a quantity, with bounds at any confidence."""

    @property
    def value(self) -> float:
        """The point estimate."""

    def at(self, confidence: float) -> Estimate:
        """Bound it: `low` and `high` each hold one-sidedly at `confidence`."""


def estimate(
    value: float, low: float, high: float, confidence: float, method: str, n_forget: int, n_controls: int = 0
) -> Estimate:
    """Make an estimate from a value and its bounds."""
    return Estimate(
        value=value, low=low, high=high, confidence=confidence, method=method, n_forget=n_forget, n_controls=n_controls
    )


def p_value(measure: Measure, limit: float, side: Side) -> float:
    """Compute the p-value of the quantity's not lying beyond `limit`.

    `side` "high" asks whether it is above (the lower bound exceeds the limit), "low" whether it is below. Returns the
    smallest alpha, in [1e-12, 0.5), at which the one-sided bound at 1 - alpha lies beyond the limit, and 1.0 when none
    does. Found by bisection on log alpha, so it is the exact dual of the bounds. Raises ValueError for a limit that is
    not finite or an unknown side.
    """
    if not math.isfinite(limit):
        raise ValueError(f"limit must be a finite number, not {limit!r}")
    if side not in ("high", "low"):
        raise ValueError(f'side must be "high" or "low", not {side!r}')

    def beyond(alpha: float) -> bool:
        estimate = measure.at(1.0 - alpha)
        return estimate.low > limit if side == "high" else estimate.high < limit

    if not beyond(_LARGEST):
        return 1.0
    if beyond(_SMALLEST):
        return _SMALLEST
    low, high = math.log(_SMALLEST), math.log(_LARGEST)
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if beyond(math.exp(middle)) else (middle, high)
    return math.exp(high)


def holm(p_values: ArrayLike) -> FloatArray:
    """Adjust several p-values for having looked at all of them.

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


class MeasuresTogether(ABC):
    """Bound many quantities at once, each of which can be asked by itself as well."""

    __slots__ = ()

    @property
    @abstractmethod
    def values(self) -> FloatArray:
        """The point estimates."""

    @abstractmethod
    def bounds(self, confidence: float) -> tuple[FloatArray, FloatArray]:
        """Bound each as its own `at` does: what is below and what is above."""

    @abstractmethod
    def __getitem__(self, number: Any) -> Measure:
        """Return one of them."""

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtremeMeasure:
    """Measure the largest ("high") or the smallest ("low") of `parts`.

    Each part is bounded at 1 - alpha / parts, so that all hold together (Bonferroni). The point value is that of the
    part that stands out, and deviates from the middle by luck alone where there are many: judge by the bounds.
    """

    parts: Sequence[Measure] | MeasuresTogether
    side: Side

    @property
    def value(self) -> float:
        """The value of the part that stands out."""
        return float(self._values[self._extreme])

    @property
    def _values(self) -> FloatArray:
        if isinstance(self.parts, MeasuresTogether):
            return self.parts.values
        return np.array([part.value for part in self.parts])

    @property
    def _extreme(self) -> int:
        return int(self._values.argmax() if self.side == "high" else self._values.argmin())

    def at(self, confidence: float) -> Estimate:
        """Bound it simultaneously over all parts."""
        strict = 1.0 - (1.0 - confidence) / len(self.parts)
        pick = max if self.side == "high" else min
        if isinstance(self.parts, MeasuresTogether):
            extreme, bounds = self.parts[self._extreme].at(strict), self.parts.bounds(strict)
        else:
            found = [part.at(strict) for part in self.parts]
            extreme = pick(found, key=lambda estimate: estimate.value)
            bounds = np.array([one.low for one in found]), np.array([one.high for one in found])
        low, high = (float(ends.max() if self.side == "high" else ends.min()) for ends in bounds)
        kind = "largest" if self.side == "high" else "smallest"
        return replace(
            extreme,
            low=low,
            high=high,
            confidence=confidence,
            method=f"{kind} of {len(self.parts)}, simultaneous {extreme.method}",
        )
