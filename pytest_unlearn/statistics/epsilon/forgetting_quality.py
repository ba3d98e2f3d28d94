"""Compute the forgetting quality of the NeurIPS 2023 unlearning challenge.

Thresholds are exact instead of a grid. `quality_ratio` relates it to what retrained models give each other, with an
interval over models.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pytest_unlearn.core.evidence import Estimate, FloatArray, IntArray
from pytest_unlearn.statistics.epsilon.bounds import check_delta
from pytest_unlearn.statistics.measure import estimate
from pytest_unlearn.statistics.quantiles import quantile
from pytest_unlearn.statistics.validation import check_confidence

Rules = Literal["both", "single"]
DELTA = 1e-5
CAP = 50.0  # what infinity, and laws one of which is a hundred times narrower, count as
PEAK = 0.01
REACH = 2.0  # how far an interval's ends may lie from those of the narrower law, in units of the statistic
BIN = 0.5
TIME_LIMIT = 0.2  # of retraining; slower methods were rejected
FEWEST_MODELS = 4  # with fewer the published bins are too few to distinguish laws
_CHUNK = 1024  # examples at a time: what a loop touches stays in the cache
_SLACK = 1e-9  # an end that a grid reaches by rounding counts as reached


def example_epsilons(
    unlearned: ArrayLike, retrained: ArrayLike, *, delta: float = DELTA, rules: Rules = "both"
) -> FloatArray:
    """Estimate each example's epsilon by the best of a family of regions.

    A region calls a model unlearned or retrained by one example's statistic f. "single": f >= t, taken for the law
    with the larger median. "double": left <= f <= right, taken for the law with the smaller range w, for right within 2
    of its maximum and left within 2 of right - w. The published code tries thresholds 0.01 apart; this tries every
    region that any such thresholds give, so that it finds at least as much. A region without errors counts 50, one with
    errors of one kind only is discarded, and laws of equal median or range are taken either way round.

    Args:
        unlearned: logit-scaled confidences, shape (models, examples), four models or more.
        retrained: the same of retrained models.
        delta: of (epsilon, delta)-indistinguishability, in [0, 1).
        rules: "both" as published, or the "single" threshold alone.

    Returns:
        Epsilons of shape (examples,), from 0 to 50. Under perfect unlearning they are about 1.5, not 0: each is a
        maximum over ratios of counts as small as 1, and bounds the true one from neither side.

    Raises:
        ValueError: shapes that do not match, fewer than four models a side, what is not finite, or a bad delta.

    Source: Triantafillou 2023, "Evaluation for the NeurIPS machine unlearning competition", and its code.
    """
    ours, theirs = paired_margins(unlearned, retrained)
    check_delta(delta)
    if rules not in ("both", "single"):
        raise ValueError(f'rules must be "both" or "single", not {rules!r}.')
    found = np.zeros(ours.shape[1])
    for start in range(0, ours.shape[1], _CHUNK):
        part = slice(start, start + _CHUNK)
        found[part] = _chunk(ours[:, part].T, theirs[:, part].T, delta, rules)
    return found


def forgetting_quality(epsilons: ArrayLike, models: int) -> float:
    """Compute F, the mean of 2^-floor(epsilon / 0.5): the published scale.

    Bins are 0.5 wide up to ceil(log(models - 1)), as in the published code: 14 bins for 512 models (13 in the paper),
    beyond which an example counts 0.

    Args:
        epsilons: shape (examples,), of `example_epsilons`.
        models: how many there were of each kind, four or more.

    Returns:
        F in [0, 1]. Perfect unlearning does not give 1, but what two sets of as many retrained models give each other:
        0.16 to 0.21 for Gaussian laws.

    Raises:
        ValueError: no epsilons, or fewer than four models.

    Source: Triantafillou 2023.
    """
    values = np.asarray(epsilons, dtype=np.float64)
    if values.ndim != 1 or not values.size or not (values >= 0).all():
        raise ValueError("epsilons must be numbers from 0, one an example, and at least one.")
    if models < FEWEST_MODELS:
        raise ValueError(f"{models} models of each kind are too few: {FEWEST_MODELS} or more make a law.")
    place = np.floor(values / BIN)
    return float(np.where(place < bins_of(models), np.exp2(-place), 0.0).mean())


def published_score(quality: float, retain: tuple[float, float], test: tuple[float, float]) -> float:
    """Multiply F by the ratios of unlearned to retrained accuracies, uncapped.

    `retain` and `test` are pairs (unlearned, retrained) of mean accuracies in [0, 1]. Under perfect unlearning it is
    the F that retrained models give each other. Raises ValueError for what is no share, or a retrained accuracy of 0.
    Source: Triantafillou 2023.
    """
    for name, (ours, theirs) in (("retain", retain), ("test", test)):
        if not (0.0 <= ours <= 1.0 and 0.0 < theirs <= 1.0):
            raise ValueError(f"{name} accuracies {ours} and {theirs}: both are shares, and the retrained one above 0.")
    return quality * (retain[0] / retain[1]) * (test[0] / test[1])


def bins_of(models: int) -> int:
    """Return the published number of bins for `models` of each kind."""
    return math.ceil(math.ceil(math.log(models - 1)) / BIN)


def margins(name: str, values: ArrayLike) -> FloatArray:
    """Check finite float64 of shape (models, examples), four models or more."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or not array.size:
        raise ValueError(f"{name} must have shape (models, examples), not {array.shape}.")
    if len(array) < FEWEST_MODELS:
        raise ValueError(f"{len(array)} {name} models are too few: {FEWEST_MODELS} or more make a law.")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds values that are not finite; clip them first.")
    return array


def paired_margins(unlearned: ArrayLike, retrained: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Check the `margins` of both kinds of models, on the same examples."""
    ours, theirs = margins("unlearned", unlearned), margins("retrained", retrained)
    if ours.shape[1] != theirs.shape[1]:
        raise ValueError(
            f"unlearned models answer {ours.shape[1]} examples, retrained ones {theirs.shape[1]}: pass the same ones."
        )
    return ours, theirs


def _chunk(ours: FloatArray, theirs: FloatArray, delta: float, rules: Rules) -> FloatArray:
    """Return epsilons of some examples; both laws have shape (examples, models)."""
    widths = [np.ptp(law, axis=1) for law in (ours, theirs)]
    medians = [np.median(law, axis=1) for law in (ours, theirs)]
    found = np.zeros(len(ours))
    for positive, negative, first in ((ours, theirs, 0), (theirs, ours, 1)):
        higher = medians[first] >= medians[1 - first]
        narrower = (widths[first] <= widths[1 - first]) & (rules == "both")
        for rows, rule in ((higher, _single), (narrower, _double)):
            if rows.any():
                best = rule(positive[rows], negative[rows], _table(positive.shape[1], negative.shape[1], delta))
                found[rows] = np.maximum(found[rows], best)
    found[np.minimum(*widths) < PEAK * np.maximum(*widths)] = CAP
    return np.minimum(found, CAP)


def _table(positives: int, negatives: int, delta: float) -> FloatArray:
    """Tabulate epsilon by how many of the positive and negative law are inside."""
    missed = 1.0 - np.arange(positives + 1)[:, None] / positives
    accused = np.arange(negatives + 1)[None, :] / negatives
    with np.errstate(divide="ignore", invalid="ignore"):
        table = np.maximum(
            np.log(np.maximum(1.0 - delta - accused, 1e-300)) - np.log(missed),
            np.log(np.maximum(1.0 - delta - missed, 1e-300)) - np.log(accused),
        )
    table[-1, :], table[:, 0] = 0.0, 0.0  # errors of one kind only
    table[-1, 0] = CAP  # no errors
    return np.asarray(np.maximum(table, 0.0))


def _sorted(positive: FloatArray, negative: FloatArray) -> tuple[FloatArray, IntArray]:
    """Sort pooled values, and address the table by how many precede each."""
    pooled = np.concatenate([positive, negative], axis=1)
    order = np.argsort(pooled, axis=1, kind="stable")
    weights = np.repeat([negative.shape[1] + 1, 1], [positive.shape[1], negative.shape[1]])
    before = np.zeros((len(pooled), pooled.shape[1] + 1), dtype=np.int64)
    np.cumsum(weights[order], axis=1, out=before[:, 1:])
    return np.take_along_axis(pooled, order, axis=1), before


def _single(positive: FloatArray, negative: FloatArray, table: FloatArray) -> FloatArray:
    values, before = _sorted(positive, negative)
    inside = before[:, -1:] - before[:, :-1]
    distinct = np.diff(values, axis=1, prepend=-np.inf) > 0
    return np.asarray(np.where(distinct, table.ravel()[inside], 0.0).max(axis=1))


def _double(positive: FloatArray, negative: FloatArray, table: FloatArray) -> FloatArray:
    """Try every interval from value i to value j that the published reach allows."""
    values, before = _sorted(positive, negative)
    flat = table.ravel()
    top, width = positive.max(axis=1)[:, None], np.ptp(positive, axis=1)[:, None]
    edge = np.full((len(values), 1), np.inf)
    padded = np.concatenate([-edge, values, edge], axis=1)
    # An interval that holds value j as its last ends somewhere from `least` up to `most`.
    least = np.maximum(values, top - REACH)
    most = np.minimum(padded[:, 2:], top + REACH)
    ends = (padded[:, 2:] > values) & (least <= most + _SLACK)
    least = np.where(ends, least, np.inf)
    best = np.zeros(len(values))
    for i in range(values.shape[1]):
        # It begins above value i - 1 and not above value i, within the reach of its end less the width.
        starts = padded[:, i + 1] > padded[:, i]
        last = padded[:, i + 1, None] + width + REACH + _SLACK
        first = np.where(starts, padded[:, i], np.inf)[:, None] + width - REACH - _SLACK
        inside = (least[:, i:] <= last) & (most[:, i:] >= first)
        found = flat[before[:, i + 1 :] - before[:, i : i + 1]]
        found *= inside
        np.maximum(best, found.max(axis=1), out=best)
    return best


SPLITS = 4  # of the retrained models into two halves, over which the qualities are averaged
BLOCKS = 16  # of models, left out one at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityRatio:
    """Measure `quality`, F(U, R), over `ceiling`, F(R, R').

    Both are of as many models a side. `variances` are theirs and `covariance` between them, over `blocks` of models
    that are left out in turn.
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
        """The ratio, 1 under perfect unlearning; NaN where the ceiling is 0."""
        return self.quality / self.ceiling if self.ceiling > 0.0 else math.nan

    def at(self, confidence: float) -> Estimate:
        """Bound it by Fieller's one-sided interval, from 0 to infinity."""
        q2 = quantile(check_confidence(confidence), self.blocks - 1.0) ** 2
        a = self.ceiling**2 - q2 * self.variances[1]
        b = self.quality * self.ceiling - q2 * self.covariance
        c = self.quality**2 - q2 * self.variances[0]
        low, high = 0.0, math.inf
        if a > 0.0:
            root = math.sqrt(max(b * b - a * c, 0.0))
            low, high = max(0.0, (b - root) / a), max(0.0, (b + root) / a)
            low, high = min(low, self.value), max(high, self.value)
        method = f"Fieller over {self.models} unlearned and {2 * self.models} retrained models, jackknife"
        return estimate(self.value, low, high, confidence, method, self.n_forget)


def quality_ratio(unlearned: ArrayLike, retrained: ArrayLike, *, seed: int = 0) -> QualityRatio:
    """Measure unlearned models' forgetting quality relative to retrained ones'.

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
    """Return mean F against either half, and of the halves against each other."""
    halves = [np.hstack([np.where(swap[:, None], *pair) for swap in swaps]) for pair in ((other, one), (one, other))]
    again = np.hstack([ours] * len(swaps))
    # One call for all pairs: many small ones would take twice as long.
    pairs = np.hstack([again, again, halves[0]]), np.hstack([halves[0], halves[1], halves[1]])
    mine, yours, ceiling = (forgetting_quality(part, models) for part in np.split(example_epsilons(*pairs), 3))
    return np.array([(mine + yours) / 2.0, ceiling])
