"""Estimate over models: how a method does, not how one model did.

A statistic's mean over models; the median of a few independent values, bounded by the values themselves; and the mean
of numbers that are standard normal by construction unless there is something to find.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from pytest_unlearn.core.evidence import Estimate, FloatArray
from pytest_unlearn.statistics.measure import Measure, estimate
from pytest_unlearn.statistics.quantiles import normal_quantile, pooled_degrees, quantile
from pytest_unlearn.statistics.validation import check_confidence, vector

_ONE = 0.8413447460685429  # the normal confidence of one standard error


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsMeasure:
    """Measure the mean of a statistic over independent models.

    Each is made with seeds (and perhaps a request) of its own. `values` are the statistic's on each model;
    `example_errors` its standard errors from the examples alone; `same_examples` is whether all models were judged on
    the same examples, whose sampling error no number of models then averages away. `inflation` is that of the variance
    where the values depend on each other.
    """

    values: FloatArray
    example_errors: FloatArray
    same_examples: bool
    n_forget: int
    n_controls: int
    inflation: float = 1.0

    @property
    def value(self) -> float:
        """The mean over models."""
        return float(self.values.mean())

    @property
    def standard_error(self) -> float:
        """Of the mean, infinite for one model.

        Models vary by their seeds and, on examples of their own, by the examples too; less spread than examples alone
        would give is luck, and never taken at face value.
        """
        return math.sqrt(sum(self._variances)) if self.values.size > 1 else math.inf

    @property
    def _variances(self) -> tuple[float, float]:
        """What models, and examples that all share, add to the mean's variance."""
        count = self.values.size
        between = float(self.values.var(ddof=1)) / count
        within = float(np.square(self.example_errors).mean())
        if self.same_examples:
            return self.inflation * between, within
        return self.inflation * max(between, within / count), 0.0

    def needed(self, gap: float, confidence: float, power: float) -> int | None:
        """Count the models that settle a value so far from its limit; None if none do.

        `gap` is the distance to the limit, `power` the chance that is wanted if the value is true.
        """
        models, examples = self._variances
        room = (gap / (normal_quantile(confidence) + normal_quantile(power))) ** 2 - examples
        return math.ceil(self.values.size * models / room) if room > 0.0 else None

    @property
    def overdispersion(self) -> float:
        """The p-value of varying as examples make it; small if the seed matters too."""
        expected = float(np.square(self.example_errors).mean())
        if self.values.size < 2 or expected == 0.0:
            return 1.0
        freedom = self.values.size - 1
        return float(special.chdtrc(freedom, freedom * float(self.values.var(ddof=1)) / expected))

    def at(self, confidence: float) -> Estimate:
        """Bound it by Student's t over models (Satterthwaite's), in [0, 1]."""
        check_confidence(confidence)
        count = self.values.size
        low, high, method = 0.0, 1.0, "undefined: a single model"
        if count > 1:
            models, examples = self._variances
            degrees = pooled_degrees((models, examples), (count - 1.0, math.inf))
            half = quantile(confidence, degrees) * self.standard_error
            low, high = max(0.0, self.value - half), min(1.0, self.value + half)
            method = f"mean of {count} models, t"
        return estimate(self.value, low, high, confidence, method, self.n_forget, self.n_controls)


def over_models(measures: list[Measure], *, same_examples: bool, inflation: float = 1.0) -> ModelsMeasure:
    """Average one statistic over models.

    Args:
        measures: the statistic's measure on each model, two or more for an interval; in [0, 1], 0.5 under perfect
            unlearning.
        same_examples: whether all were judged on the same examples.
        inflation: of the variance between models: 2 where each model's value was learned from the others, since what
            one implies for another is much what the other implies for it (a degenerate U-statistic).

    Returns:
        A measure whose interval covers the mean over all models that the method could make: s^2/R between models and,
        on the same examples, the mean variance from examples besides.

    Raises:
        ValueError: no measures.
    """
    if not measures:
        raise ValueError("a mean over models needs at least one")
    estimates = [measure.at(_ONE) for measure in measures]
    errors = [max(0.0, (estimate.high - estimate.low) / 2.0) for estimate in estimates]
    return ModelsMeasure(
        values=vector("values", [measure.value for measure in measures]),
        example_errors=np.array(errors),
        same_examples=same_examples,
        inflation=inflation,
        n_forget=estimates[0].n_forget,
        n_controls=estimates[0].n_controls,
    )


POWER = 0.8
MOST = 1000  # more values than anybody measures


@dataclass(frozen=True, slots=True, kw_only=True)
class MedianMeasure:
    """Measure the median of the law of the sorted, independent `values`."""

    values: tuple[float, ...]

    @property
    def value(self) -> float:
        """The sample's median."""
        return float(np.median(self.values))

    def at(self, confidence: float) -> Estimate:
        """Bound it by order statistics; infinite where the values are too few."""
        n, alpha = len(self.values), 1.0 - check_confidence(confidence)
        k = _rank(n, alpha)
        low, high = (-math.inf, math.inf) if k < 0 else (self.values[k], self.values[n - 1 - k])
        return estimate(self.value, low, high, confidence, f"median of {n}, order statistics", n)


def median(values: ArrayLike) -> MedianMeasure:
    """Measure the median, by a sign test.

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
    """Return the fewest values that bound a median: 2^-n <= 1 - confidence."""
    return math.ceil(-math.log2(1.0 - check_confidence(confidence)) - 1e-9)


def needed_for_median(values: ArrayLike, limit: float, confidence: float) -> int | None:
    """Return how many values show the median's side of `limit` with 80% power.

    The values given are taken to be typical.

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
    """Find the largest k with P(Bin(n, 1/2) <= k) <= alpha, or -1.

    The (k+1)-th smallest value exceeds the median only if at most k values lie below that.
    """
    within = special.bdtr(np.arange(n), n, 0.5) <= alpha
    return int(within.sum()) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitMean:
    """Measure the mean of `values`, each exactly N(0, 1) under the null.

    Bounds take the wider of the exact spread (normal) and the observed one (Student's t): never less than chance gives.
    """

    values: FloatArray

    def __post_init__(self) -> None:
        """Refuse values that are not finite numbers in a row."""
        vector("values", self.values)

    @property
    def value(self) -> float:
        """The mean."""
        return float(self.values.mean())

    @property
    def z(self) -> float:
        """sqrt(n) times the mean: exactly N(0, 1) under the null."""
        return math.sqrt(self.values.size) * self.value

    def at(self, confidence: float) -> Estimate:
        """Bound the mean."""
        n = self.values.size
        half = normal_quantile(confidence)
        if n > 1:
            half = max(half, quantile(confidence, n - 1.0) * float(np.std(self.values, ddof=1)))
        half /= math.sqrt(n)
        return estimate(self.value, self.value - half, self.value + half, confidence, "unit mean", n)

    def chance(self) -> float:
        """Return the exact probability of as high a mean, or higher, under the null."""
        return float(special.ndtr(-self.z))
