"""Judge a model's number by the band that the references' numbers span.

The same band finds which of a method's models are unlike retrained ones, whatever the others are like.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from pytest_unlearn.core.evidence import Estimate, FloatArray, IntArray
from pytest_unlearn.statistics.epsilon.forgetting_quality import paired_margins
from pytest_unlearn.statistics.measure import estimate
from pytest_unlearn.statistics.quantiles import quantile
from pytest_unlearn.statistics.validation import check_confidence, vector


@dataclass(frozen=True, slots=True, kw_only=True)
class BandMeasure:
    """Measure a number's distance from the mean of K references' numbers.

    All numbers are of the same examples, so that a model retrained without the forget set is one more draw beside the
    references: its distance from their mean has the variance s^2 (1 + 1/K), and Student's t with K - 1 degrees of
    freedom bounds how far it may lie. One reference spans no band, and nothing can then be certain.

    `number` is the model's, `references` [K] theirs, on a scale where equal differences mean equally much. With
    `as_auc` the distance is read as a shift of a normal score in standard deviations, and stated as the AUC
    between the two laws, Phi(distance/sqrt 2): 0.5 under perfect unlearning. Else it is stated as it is: 0.
    """

    number: float
    references: FloatArray
    as_auc: bool
    n_forget: int
    n_controls: int
    least_spread: float = 0.0

    @property
    def distance(self) -> float:
        """The model's number less the references' mean."""
        return self.number - float(self.references.mean())

    @property
    def spread(self) -> float:
        """The references' standard deviation; infinite for a single one."""
        if self.references.size < 2:
            return math.inf
        return max(self.least_spread, float(self.references.std(ddof=1)))

    @property
    def value(self) -> float:
        """The point estimate."""
        return self._stated(self.distance)

    def at(self, confidence: float) -> Estimate:
        """Bound it by predicting one more retrained model."""
        check_confidence(confidence)
        count, half = self.references.size, math.inf
        if count > 1:
            half = quantile(confidence, count - 1.0) * self.spread * math.sqrt(1.0 + 1.0 / count)
        low, high = self._stated(self.distance - half), self._stated(self.distance + half)
        method = f"Student's t prediction from {count} references" if count > 1 else "undefined: a single reference"
        return estimate(self.value, low, high, confidence, method, self.n_forget, self.n_controls)

    def _stated(self, distance: float) -> float:
        return float(special.ndtr(distance / math.sqrt(2.0))) if self.as_auc else distance


def band(
    number: float,
    references: ArrayLike,
    *,
    as_auc: bool = False,
    n_forget: int = 0,
    n_controls: int = 0,
    least_spread: float = 0.0,
) -> BandMeasure:
    """Measure how far a model's `number` lies from those of `references` [K].

    References are models retrained without the forget set. Returns a measure of the difference to their mean, 0 under
    perfect unlearning, or of the AUC it amounts to, 0.5. Bounds are those of predicting one further retrained model:
    the retrained one's law is assumed normal, which a few references cannot show. `least_spread` is a floor under the
    references' standard deviation, for numbers of limited resolution. Raises ValueError for numbers that are not finite
    or no reference. Source: Student 1908; the prediction interval of a further observation.
    """
    if not math.isfinite(number):
        raise ValueError(f"the model's number must be finite, not {number!r}")
    return BandMeasure(
        number=float(number),
        references=np.asarray(vector("references", references)),
        as_auc=as_auc,
        n_forget=n_forget,
        n_controls=n_controls,
        least_spread=least_spread,
    )


def outlier_models(unlearned: ArrayLike, retrained: ArrayLike, confidence: float = 0.99) -> IntArray:
    """Find models that answer further from retrained ones than one more would.

    Answers are averaged over the examples. A method that forgets nearly always hides the runs in which it does not
    among the others: no mean over models, and no example's law, shows one in sixteen.

    Args:
        unlearned: logit-scaled confidences, shape (models, examples), four models or more.
        retrained: the same of retrained models; examples in the same order.
        confidence: that none is named where all laws are equal.

    Returns:
        The positions of such unlearned models, in order; none under perfect unlearning.

    Raises:
        ValueError: as `example_epsilons`.

    Source: Student's prediction interval of a further observation (see `band`), Bonferroni over models and sides.
    """
    ours, theirs = paired_margins(unlearned, retrained)
    level = 1.0 - (1.0 - check_confidence(confidence)) / (2.0 * len(ours))
    bounds = [band(mean, theirs.mean(axis=1)).at(level) for mean in ours.mean(axis=1)]
    return np.flatnonzero([bound.low > 0.0 or bound.high < 0.0 for bound in bounds])
