"""Test planted canaries by their ranks, whose law is known.

A canary is drawn at random from a space of equally likely ones (digits in a template, say) and trained on. To a model
that never saw it, it is any of them: its rank by probability is uniform from 1 to the size of the space, whatever the
model, so that the test is exact, and needs no retrained model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from pytest_unlearn.core.evidence import Estimate, FloatArray, IntArray, Side
from pytest_unlearn.statistics.measure import estimate
from pytest_unlearn.statistics.quantiles import normal_quantile, quantile
from pytest_unlearn.statistics.validation import matrix, vector


def ranks_among_rivals(planted: ArrayLike, rivals: ArrayLike, *, seed: int = 0) -> IntArray:
    """Rank each planted canary among its rivals: (m,), 1 the most probable.

    Args:
        planted: the score of each canary, (m,), higher meaning more probable.
        rivals: the scores of those that might have been planted in its place, (m, N - 1): all, or some drawn at random.
        seed: of the draw that ranks a canary among rivals of its own score. It keeps the law exact.

    Returns:
        Ranks from 1 to N.

    Raises:
        ValueError: shapes that do not fit, or scores that are not finite.
    """
    own = vector("planted", planted)
    others = np.asarray(rivals, dtype=np.float64)
    if others.ndim != 2 or len(others) != own.size or not others.shape[1]:
        raise ValueError(f"rivals has the shape {others.shape}: a row of one rival or more for each of {own.size}.")
    others = matrix("rivals", others, others.shape[1])
    above, level = ((others > own[:, None]).sum(axis=1), (others == own[:, None]).sum(axis=1))
    return np.asarray(1 + above + np.random.default_rng(seed).integers(0, level + 1), dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryRanks:
    """Hold the ranks of independently drawn canaries in spaces of equal size.

    As a measure it is the mean share of rivals that a canary outranks, from 0 to 1: 0.5 under perfect unlearning, as an
    AUC. Its bounds take the wider of the known spread and the observed one.

    Args:
        ranks: (m,), from 1, the most probable, to `space`.
        space: how many canaries were equally likely, 2 or more.

    Raises:
        ValueError: no canaries, or ranks outside the space.
    """

    ranks: IntArray
    space: int

    def __post_init__(self) -> None:
        ranks = np.asarray(self.ranks)
        if isinstance(self.space, bool) or not isinstance(self.space, (int, np.integer)) or self.space < 2:
            raise ValueError(f"space is {self.space!r}: it is how many canaries were possible, two or more.")
        if ranks.ndim != 1 or not ranks.size or ranks.dtype.kind not in "iu":
            raise ValueError("ranks must be whole numbers, one for each canary, and one canary at least.")
        if ranks.min() < 1 or ranks.max() > self.space:
            raise ValueError(f"ranks reach from {ranks.min()} to {ranks.max()}: they lie between 1 and {self.space}.")
        object.__setattr__(self, "ranks", ranks.astype(np.int64))

    @property
    def exposures(self) -> FloatArray:
        """log2 |space| - log2 rank of each, in bits; 1.44 on average if never seen.

        Source: Carlini et al. 2019, "The secret sharer" (arXiv 1802.08232).
        """
        return np.asarray(math.log2(self.space) - np.log2(self.ranks))

    @property
    def value(self) -> float:
        """The mean share of rivals outranked."""
        return float((self.space - self.ranks).mean() / (self.space - 1))

    def at(self, confidence: float) -> Estimate:
        """Bound the share."""
        count, known = len(self.ranks), math.sqrt((self.space + 1) / (12.0 * (self.space - 1)))
        half = normal_quantile(confidence) * known
        if count > 1:
            spread = float(np.std(self.ranks / (self.space - 1), ddof=1))
            half = max(half, quantile(confidence, count - 1.0) * spread)
        half /= math.sqrt(count)
        low, high = max(0.0, self.value - half), min(1.0, self.value + half)
        return estimate(self.value, low, high, confidence, "ranks of canaries", count)

    def sum_p_value(self, side: Side) -> float:
        """Compute the exact probability of ranks whose sum is as far out by chance.

        `side` "high" asks whether canaries are recognised (low ranks), "low" whether they are avoided. From the number
        of ways to reach a sum, in whole numbers. Super-uniform, and uniform up to the steps of the sum.

        Source: de Moivre 1711; Feller 1968, section XI.7, problem 20.
        """
        count, total = len(self.ranks), int(self.ranks.sum())
        if side == "low":
            total = count * (self.space + 1) - total
        elif side != "high":
            raise ValueError(f'side must be "high" or "low", not {side!r}')
        ways, space = 0, int(self.space)
        for j in range((total - count) // space + 1):
            ways += (-1) ** j * math.comb(count, j) * math.comb(total - j * space, count)
        return float(ways / space**count)

    def exposure_p_value(self, *, seed: int | None = None) -> float:
        """Compute the probability of as much exposure in all by chance.

        Fisher's combination of rank / space: where a few of many canaries are known by heart it sees them, which the
        sum of ranks does not. At least the true probability; with a `seed` each rank is spread evenly over its step,
        and the p-value is uniform exactly. Source: Fisher 1932, section 21.1.
        """
        spread = 0.0 if seed is None else np.random.default_rng(seed).random(len(self.ranks))
        surprise = -np.log((self.ranks - spread) / self.space).sum()
        return float(special.gammaincc(len(self.ranks), surprise))
