"""Compare classifiers on the same examples, by Tango's interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from pytest_unlearn.core.evidence import Estimate
from pytest_unlearn.statistics.measure import Measure, estimate
from pytest_unlearn.statistics.quantiles import normal_quantile, reference_variance
from pytest_unlearn.statistics.references.difference import paired_measure
from pytest_unlearn.statistics.validation import binary, check_confidence, matrix, vector


def tango(b: int, c: int, n: int, confidence: float, two_sided: bool = True) -> tuple[float, float]:
    """Bound the difference (b - c)/n of two paired proportions.

    `b` and `c` count the examples on which only the first, only the second is right, of `n`. Two-sided: the pair covers
    at `confidence`; otherwise each bound is a one-sided one. Returns (low, high) in [-1, 1], +-z^2/(n+z^2) for
    b = c = 0. Raises ValueError for impossible counts. Source: Tango 1998, score interval.
    """
    _check_counts(b, c, n)
    check_confidence(confidence)
    z = normal_quantile(0.5 + 0.5 * confidence if two_sided else confidence)
    return -_tango_high(c, b, n, z), _tango_high(b, c, n, z)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedMeasure:
    """Measure the difference of two accuracies on the same `n` examples.

    `b` and `c` count where only the first, only the second is right.
    """

    b: int
    c: int
    n: int

    @property
    def value(self) -> float:
        """Accuracy of the first minus accuracy of the second."""
        return (self.b - self.c) / self.n

    def at(self, confidence: float) -> Estimate:
        """Bound it by Tango's one-sided interval."""
        low, high = tango(self.b, self.c, self.n, confidence, two_sided=False)
        return estimate(self.value, low, high, confidence, "Tango", self.n)


def paired_difference(correct_a: ArrayLike, correct_b: ArrayLike) -> Measure:
    """Measure how much more accurate `a` is than `b`, or than a mean of several.

    `correct_a` [n] and `correct_b` [n] or [K, n] hold 0/1 (or bool). Returns a measure of mean(a) - mean(b) in [-1, 1],
    0 for equal models: Tango's interval against one classifier, else Wilson-like half widths with the spread s^2/K of
    the K accuracies in quadrature. Raises ValueError for other values and shapes. Sources: Tango 1998; Wilson 1927.
    """
    first = binary("correct_a", vector("correct_a", correct_a))
    second = binary("correct_b", matrix("correct_b", np.atleast_2d(np.asarray(correct_b)), first.size))
    if len(second) == 1:
        return PairedMeasure(b=int(np.sum(first > second[0])), c=int(np.sum(first < second[0])), n=first.size)
    spread = reference_variance(second.mean(axis=1))
    return paired_measure(first - second.mean(axis=0), spread, len(second), sparse=True, method="paired difference")


def _tango_high(b: int, c: int, n: int, z: float) -> float:
    low, high = (b - c) / n, 1.0
    for _ in range(60):  # the score statistic falls in delta, from 0 at the estimate
        middle = 0.5 * (low + high)
        low, high = (middle, high) if _tango_score(b, c, n, middle) > -z else (low, middle)
    return high


def _tango_score(b: int, c: int, n: int, delta: float) -> float:
    half = 0.5 * ((2 * n - b + c) * delta - b - c)
    q = (math.sqrt(max(0.0, half * half + 2.0 * n * c * delta * (1.0 - delta))) - half) / (2.0 * n)
    variance = n * (2.0 * q + delta * (1.0 - delta))
    gap = b - c - n * delta
    return gap / math.sqrt(variance) if variance > 0.0 else math.copysign(math.inf, gap) if gap else 0.0


def _check_counts(b: int, c: int, n: int) -> None:
    if min(b, c) < 0 or n < 1 or b + c > n:
        raise ValueError(f"b={b} and c={c} disagreements of n={n} are impossible; need b, c >= 0 and b + c <= n")
