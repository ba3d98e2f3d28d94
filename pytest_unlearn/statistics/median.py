"""The median of a few independent values, bounded by the values themselves."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from pytest_unlearn.evidence import Estimate
from pytest_unlearn.statistics.validation import check_confidence, vector

POWER = 0.8
MOST = 1000  # more values than anybody measures


@dataclass(frozen=True, slots=True, kw_only=True)
class MedianMeasure:
    """The median of the law that the sorted `values` were drawn from independently."""

    values: tuple[float, ...]

    @property
    def value(self) -> float:
        """The sample's median."""
        return float(np.median(self.values))

    def at(self, confidence: float) -> Estimate:
        """Order statistics, exact whatever the law; infinite where so few values bound nothing at `confidence`."""
        n, alpha = len(self.values), 1.0 - check_confidence(confidence)
        k = _rank(n, alpha)
        return Estimate(
            value=self.value,
            low=-math.inf if k < 0 else self.values[k],
            high=math.inf if k < 0 else self.values[n - 1 - k],
            confidence=confidence,
            method=f"median of {n}, order statistics",
            n_forget=n,
        )


def median(values: ArrayLike) -> MedianMeasure:
    """What is the median, by a sign test?

    Args:
        values: [n], independent and continuous; five or more for bounds at 95%.

    Returns:
        A measure whose one-sided bounds cover at least at the confidence asked for.

    Raises:
        ValueError: no values, or some that are not finite.

    Source: Thompson 1936, "On confidence ranges for the median"; David and Nagaraja 2003, section 7.1.
    """
    return MedianMeasure(values=tuple(sorted(vector("values", values).tolist())))


def fewest_for_median(confidence: float) -> int:
    """How many values it takes for a bound on the median: 2^-n must not exceed 1 - confidence (5 for 95%)."""
    return math.ceil(-math.log2(1.0 - check_confidence(confidence)) - 1e-9)


def needed_for_median(values: ArrayLike, limit: float, confidence: float) -> int | None:
    """How many values would show with 80% power on which side of `limit` the median lies, if these are typical.

    Returns:
        None where so nearly as many lie on the one side as on the other that no affordable number would.
    """
    given = vector("values", values)
    share = float(np.mean(given > limit))
    share = min(share, 1.0 - share)
    for n in range(fewest_for_median(confidence), MOST + 1):
        if special.bdtr(_rank(n, 1.0 - confidence), n, share) >= POWER:
            return n
    return None


def _rank(n: int, alpha: float) -> int:
    """The largest k with P(Bin(n, 1/2) <= k) <= alpha, or -1.

    The (k+1)-th smallest value exceeds the median only if at most k values lie below that.
    """
    within = special.bdtr(np.arange(n), n, 0.5) <= alpha
    return int(within.sum()) - 1
