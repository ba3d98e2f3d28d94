"""Prove what single examples show over many models.

Lower bounds on epsilon, and which examples are always distinguishable.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

from pytest_unlearn.core.evidence import FloatArray, IntArray
from pytest_unlearn.statistics.epsilon.bounds import check_delta, epsilons_of_rates, rate_bounds
from pytest_unlearn.statistics.epsilon.forgetting_quality import DELTA, paired_margins
from pytest_unlearn.statistics.validation import check_confidence

SEPARATED = 0.95  # the AUC over models beyond which an example is distinguishable in nearly every model


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleBounds:
    """Hold lower bounds on each example's epsilon.

    `alone` [examples] each hold at `confidence` by themselves: up to 1 - confidence exceed 0 where laws are equal.
    `together` hold at once: if the laws are equal, none is above 0 with that confidence. `ceiling` is the largest that
    `together` could have given with as many models, by a test without an error.
    """

    alone: FloatArray
    together: FloatArray
    ceiling: float
    confidence: float
    delta: float


def epsilon_examples(
    unlearned: ArrayLike, retrained: ArrayLike, confidence: float = 0.95, *, delta: float = DELTA
) -> ExampleBounds:
    """Bound each example's epsilon by models that judge held-out regions.

    A region is chosen on the first half of the models (f at least t, f below t, or f within some distance of the
    retrained models' median, or beyond it) and judged on the second, by Clopper-Pearson bounds of both rates.

    Args:
        unlearned: logit-scaled confidences, shape (models, examples), four independent models or more.
        retrained: the same of retrained models; more of them tell more.
        confidence: of each bound, and of all of them together.
        delta: of (epsilon, delta)-indistinguishability, in [0, 1).

    Returns:
        Bounds that perfect unlearning exceeds no more often than stated: its epsilon is 0. Unlike
        `example_epsilons` these are proven; of 16 + 32 models nothing can be proven of all of 300 examples together,
        as `ceiling` shows.

    Raises:
        ValueError: as `example_epsilons`.

    Source: Clopper & Pearson 1934; Jagielski 2020 for the bound from rates.
    """
    ours, theirs = paired_margins(unlearned, retrained)
    check_delta(delta)
    alpha = 1.0 - check_confidence(confidence)
    centre = np.median(theirs[: len(theirs) // 2], axis=0)
    views = [(law, -law, np.abs(law - centre), -np.abs(law - centre)) for law in (ours, theirs)]
    gains, inside = zip(*(_held_out(mine, yours, delta) for mine, yours in zip(*views, strict=True)), strict=True)
    best = np.argmax(gains, axis=0)
    caught, accused = (np.take_along_axis(np.array([pair[k] for pair in inside]), best[None], 0)[0] for k in (0, 1))
    sizes = len(ours) - len(ours) // 2, len(theirs) - len(theirs) // 2
    shared = alpha / ours.shape[1]
    return ExampleBounds(
        alone=_bound(caught, accused, sizes, alpha, delta),
        together=_bound(caught, accused, sizes, shared, delta),
        ceiling=float(_bound(np.array([sizes[0]]), np.array([0]), sizes, shared, delta)[0]),
        confidence=confidence,
        delta=delta,
    )


def distinguishable_examples(
    unlearned: ArrayLike, retrained: ArrayLike, confidence: float = 0.95
) -> tuple[FloatArray, IntArray]:
    """Find examples that are distinguishable in nearly every model.

    A mean over examples might hide them.

    Args:
        unlearned: logit-scaled confidences, shape (models, examples).
        retrained: the same of retrained models.
        confidence: that none is named where all laws are equal.

    Returns:
        Each example's AUC over models, 0.5 under perfect unlearning, and the positions of those beyond 0.95 or below
        0.05 (Mann & Whitney 1947, Bonferroni over examples).

    Raises:
        ValueError: as `example_epsilons`.
    """
    ours, theirs = paired_margins(unlearned, retrained)
    alpha = 1.0 - check_confidence(confidence)
    m, n = len(ours), len(theirs)
    ranks = stats.rankdata(np.concatenate([ours, theirs]), axis=0)
    auc = (ranks[:m].sum(axis=0) - m * (m + 1) / 2.0) / (m * n)
    beyond = np.abs(auc - 0.5)
    unlikely = 2.0 * special.ndtr(-beyond / math.sqrt((m + n + 1) / (12.0 * m * n))) * auc.size <= alpha
    return auc, np.flatnonzero(unlikely & (beyond >= SEPARATED - 0.5))


def _held_out(ours: FloatArray, theirs: FloatArray, delta: float) -> tuple[FloatArray, tuple[IntArray, IntArray]]:
    """Choose the best region f >= t on first halves, and count in second ones."""
    (learn, judge), (others, judged) = ((law[: len(law) // 2], law[len(law) // 2 :]) for law in (ours, theirs))
    best, threshold = np.full(ours.shape[1], -np.inf), np.zeros(ours.shape[1])
    for t in np.concatenate([learn, others]):
        positive, false = (((law >= t).sum(axis=0) + 0.5) / (len(law) + 1.0) for law in (learn, others))
        gain = epsilons_of_rates(positive, false, delta)
        threshold, best = np.where(gain > best, t, threshold), np.maximum(gain, best)
    # Half way to the next value below: the same region here, and a fairer one elsewhere.
    values = np.concatenate([learn, others])
    below = np.where(values < threshold, values, -np.inf).max(axis=0)
    threshold = np.where(np.isfinite(below), (threshold + below) / 2.0, threshold)
    return best, ((judge >= threshold).sum(axis=0), (judged >= threshold).sum(axis=0))


def _bound(caught: IntArray, accused: IntArray, sizes: tuple[int, int], alpha: float, delta: float) -> FloatArray:
    """Return the epsilons at Clopper-Pearson bounds, each at half of alpha, at least 0."""
    positive, false = rate_bounds(caught, sizes[0], accused, sizes[1], alpha / 2.0)
    return np.asarray(np.maximum(0.0, epsilons_of_rates(positive, false, delta)))
