"""Bound proportions, and the difference of two independent ones.

Exact statements on counts: of coin flips that were guessed, and of triggers that still work.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import special, stats

from pytest_unlearn.core.evidence import Estimate
from pytest_unlearn.statistics.measure import estimate
from pytest_unlearn.statistics.quantiles import normal_quantile
from pytest_unlearn.statistics.validation import check_confidence, check_open_unit


def clopper_pearson(successes: float, n: int, confidence: float, two_sided: bool = True) -> tuple[float, float]:
    """Bound a proportion exactly, after `successes` of `n`.

    Two-sided: the pair covers at `confidence` (alpha/2 a side). Otherwise each bound is a one-sided one. Raises
    ValueError for impossible counts or a confidence outside (0.5, 1). Source: Clopper & Pearson 1934.
    """
    check_counts(successes, n)
    tail = (1.0 - check_confidence(confidence)) / (2.0 if two_sided else 1.0)
    low = 0.0 if successes == 0 else float(special.betaincinv(successes, n - successes + 1, tail))
    high = 1.0 if successes == n else 1.0 - float(special.betaincinv(n - successes, successes + 1, tail))
    return low, high


def wilson(successes: float, n: int, confidence: float, two_sided: bool = True) -> tuple[float, float]:
    """Bound a proportion after `successes` of `n`, by inverting the score test.

    Two-sided and one-sided as in `clopper_pearson`, and so are the errors. Source: Wilson 1927.
    """
    check_counts(successes, n)
    z = _z(confidence, two_sided)
    share, shrink = successes / n, 1.0 + z * z / n
    centre = (share + z * z / (2.0 * n)) / shrink
    half = z * math.sqrt(share * (1.0 - share) / n + z * z / (4.0 * n * n)) / shrink
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    return low, 1.0 if successes == n else min(1.0, centre + half)


def newcombe(x1: int, n1: int, x2: int, n2: int, confidence: float, two_sided: bool = True) -> tuple[float, float]:
    """Bound p1 - p2 after `x1` of `n1` and, independently, `x2` of `n2`.

    Wilson's distances combined in quadrature; two-sided and one-sided as in `clopper_pearson`, and so are the errors.
    Source: Newcombe 1998, method 10.
    """
    low1, high1 = wilson(x1, n1, confidence, two_sided)
    low2, high2 = wilson(x2, n2, confidence, two_sided)
    p1, p2 = x1 / n1, x2 / n2
    return p1 - p2 - math.hypot(p1 - low1, high2 - p2), p1 - p2 + math.hypot(high1 - p1, p2 - low2)


def _z(confidence: float, two_sided: bool) -> float:
    check_confidence(confidence)
    return normal_quantile(0.5 + 0.5 * confidence if two_sided else confidence)


def check_counts(successes: float, n: int) -> None:
    """Raise ValueError for counts that are no proportion."""
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(
            f"{successes} successes of {n} is not a proportion; n must be at least 1 and hold the successes"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareMeasure:
    """Measure a share of `n` independent trials, with exact one-sided bounds.

    Source: Clopper & Pearson 1934. A tie may count as half a success: it varies less than a trial does, so that the
    bounds are wider than need be. `undecided` is the number of such trials.
    """

    successes: float
    n: int
    undecided: int = 0

    def __post_init__(self) -> None:
        """Refuse counts that are no proportion."""
        check_counts(self.successes, self.n)

    @property
    def value(self) -> float:
        """The observed share."""
        return self.successes / self.n

    def at(self, confidence: float) -> Estimate:
        """Bound the share."""
        low, high = clopper_pearson(self.successes, self.n, confidence, two_sided=False)
        return estimate(self.value, low, high, confidence, "Clopper-Pearson", self.n)

    def chance(self, rate: float) -> float:
        """Return the exact probability of as many successes, or more, at `rate`."""
        wins = round(self.successes - 0.5 * self.undecided)
        return float(stats.binom.sf(wins - 1, self.n - self.undecided, check_open_unit("rate", rate)))
