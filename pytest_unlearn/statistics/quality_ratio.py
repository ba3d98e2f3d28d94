"""Forgetting quality relative to what retrained models give each other, with an interval over models."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pytest_unlearn.evidence import Estimate, FloatArray
from pytest_unlearn.statistics.forgetting_quality import FEWEST_MODELS, example_epsilons, forgetting_quality, margins
from pytest_unlearn.statistics.intervals import quantile
from pytest_unlearn.statistics.validation import check_confidence

SPLITS = 4  # of the retrained models into two halves, over which the qualities are averaged
BLOCKS = 16  # of models, left out one at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityRatio:
    """`quality`, F(U, R), over `ceiling`, F(R, R'), both of as many models a side.

    `variances` are theirs and `covariance` between them, over `blocks` of models that are left out in turn.
    """

    quality: float
    ceiling: float
    variances: tuple[float, float]
    covariance: float
    blocks: int
    models: int
    n_forget: int

    @property
    def value(self) -> float:
        """The ratio, 1 in expectation under perfect unlearning; undefined where retrained models share no quality."""
        return self.quality / self.ceiling if self.ceiling > 0.0 else math.nan

    def at(self, confidence: float) -> Estimate:
        """Fieller's one-sided bounds at `confidence`, from 0 to infinity: those of quality - ratio * ceiling = 0."""
        q2 = quantile(check_confidence(confidence), self.blocks - 1.0) ** 2
        a = self.ceiling**2 - q2 * self.variances[1]
        b = self.quality * self.ceiling - q2 * self.covariance
        c = self.quality**2 - q2 * self.variances[0]
        low, high = 0.0, math.inf
        if a > 0.0:
            root = math.sqrt(max(b * b - a * c, 0.0))
            low, high = max(0.0, (b - root) / a), max(0.0, (b + root) / a)
            low, high = min(low, self.value), max(high, self.value)
        return Estimate(
            value=self.value,
            low=low,
            high=high,
            confidence=confidence,
            method=f"Fieller over {self.models} unlearned and {2 * self.models} retrained models, jackknife",
            n_forget=self.n_forget,
        )


def quality_ratio(unlearned: ArrayLike, retrained: ArrayLike, *, seed: int = 0) -> QualityRatio:
    """How like retrained models are unlearned ones, relative to how like each other retrained ones are?

    F depends on the number of models, so all are compared at the same: the retrained ones are halved into R and R',
    F(U, R) and F(U, R') give the numerator and F(R, R') the denominator, and both are averaged over 4 such halvings.
    Models are what is sampled: a block of one unlearned and two retrained models, or of several such, is left out at a
    time, and the spread over the blocks gives the interval. The examples are fixed.

    Args:
        unlearned: logit-scaled confidences, shape (models, examples), five models or more.
        retrained: the same of twice as many models.
        seed: of the halvings.

    Returns:
        A measure of the ratio; 1 in expectation under perfect unlearning, 0 where every example gives it away.

    Raises:
        ValueError: too few models, or not twice as many retrained ones.

    Source: Triantafillou 2023 for F; Fieller 1954 for the ratio's interval. Relating F to its null is ours.
    """
    ours, pool = margins("unlearned", unlearned), margins("retrained", retrained)
    count = len(ours)
    if count <= FEWEST_MODELS or len(pool) != 2 * count:
        raise ValueError(
            f"{count} unlearned and {len(pool)} retrained models: the ratio needs more than {FEWEST_MODELS} unlearned "
            "ones, and twice as many retrained ones."
        )
    swaps = np.random.default_rng(seed).random((SPLITS, count)) < 0.5
    swaps[0] = False
    blocks = min(count, BLOCKS)
    block = np.arange(count) % blocks
    whole = _qualities(ours, pool[:count], pool[count:], swaps, count)
    without = np.array(
        [
            _qualities(ours[kept], pool[:count][kept], pool[count:][kept], swaps[:, kept], count)
            for kept in (block != k for k in range(blocks))
        ]
    )
    spread = without - without.mean(axis=0)
    covariance = (blocks - 1.0) / blocks * spread.T @ spread
    return QualityRatio(
        quality=float(whole[0]),
        ceiling=float(whole[1]),
        variances=(float(covariance[0, 0]), float(covariance[1, 1])),
        covariance=float(covariance[0, 1]),
        blocks=blocks,
        models=count,
        n_forget=ours.shape[1],
    )


def _qualities(
    ours: FloatArray, one: FloatArray, other: FloatArray, swaps: NDArray[np.bool_], models: int
) -> FloatArray:
    """Mean F of the unlearned models against either half, and of the halves against each other."""
    halves = [np.hstack([np.where(swap[:, None], *pair) for swap in swaps]) for pair in ((other, one), (one, other))]
    again = np.hstack([ours] * len(swaps))
    # One call for all pairs: many small ones would take twice as long.
    pairs = np.hstack([again, again, halves[0]]), np.hstack([halves[0], halves[1], halves[1]])
    mine, yours, ceiling = (forgetting_quality(part, models) for part in np.split(example_epsilons(*pairs), 3))
    return np.array([(mine + yours) / 2.0, ceiling])
