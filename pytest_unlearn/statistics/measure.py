"""What every statistic can be asked: its value, a bound at any confidence, and the p-value that inverts the bounds."""

from __future__ import annotations

import math
from typing import Protocol

from pytest_unlearn.evidence import Estimate, Side

_SMALLEST, _LARGEST = 1e-12, 0.5 - 1e-9


class Measure(Protocol):
    """A point estimate that can bound itself at any confidence."""

    @property
    def value(self) -> float:
        """The point estimate."""

    def at(self, confidence: float) -> Estimate:
        """The estimate whose `low` and `high` are each a one-sided bound at `confidence` in (0.5, 1)."""


def p_value(measure: Measure, limit: float, side: Side) -> float:
    """How strongly do the data say that the quantity lies beyond `limit`?

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
