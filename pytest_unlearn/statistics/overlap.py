"""Find forget examples with comparable controls, and lay strata over both.

Everything is about one number an example, a balancing score: a covariate, or the log odds of a propensity. Given it,
forget set and controls are alike in whatever went into it (Rosenbaum & Rubin 1983), so that an honest model's scores
are too.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pytest_unlearn.core.evidence import FloatArray, IntArray
from pytest_unlearn.statistics.auc.placements import midranks
from pytest_unlearn.statistics.validation import vector

CALIPER = 0.2  # standard deviations of the score, within which a control is comparable
LEAST_NEAR = 2  # controls within the caliper, without which a forget example has no overlap
MOST_STRATA, LEAST_FORGET, LEAST_CONTROLS = 30, 10, 5
INNER = 8  # strata of a second score, at most, in one of the first
NOWHERE = -1  # the stratum of who is compared with nobody


def caliper_of(forget: FloatArray, controls: FloatArray) -> float:
    """Return how far apart comparable scores may lie. Source: Austin 2011."""
    return CALIPER * math.sqrt((float(np.var(forget)) + float(np.var(controls))) / 2.0)


def overlapping(forget: ArrayLike, controls: ArrayLike) -> NDArray[np.bool_]:
    """Mark the forget examples with two controls or more within the caliper.

    `forget` [m] and `controls` [n] are balancing scores. The others leave the comparison, as no control says what an
    honest model does there. Returns a mask [m]. Raises ValueError for empty or non-finite scores. Source: Crump et al.
    2009, trimming; Austin 2011, the caliper.
    """
    forget, controls = vector("forget", forget), vector("controls", controls)
    width, ordered = caliper_of(forget, controls), np.sort(controls)
    low, high = (np.searchsorted(ordered, forget + sign * width, side) for sign, side in ((-1, "left"), (1, "right")))  # type: ignore[call-overload]
    return np.asarray(high - low >= LEAST_NEAR)


def balancing_strata(forget: ArrayLike, controls: ArrayLike, most: int = MOST_STRATA) -> tuple[IntArray, IntArray]:
    """Cut a balancing score into strata of equally many forget examples.

    `forget` [m] and `controls` [n] are the scores of overlapping examples. At most `most` strata of at least 10 forget
    examples, each with at least 5 controls or joined with the next lower one. Returns the strata of both sides; -1 for
    controls beyond the caliper of every forget example, which are compared with none. Raises ValueError for empty or
    non-finite scores. Source: Cochran 1968, Rosenbaum & Rubin 1984: what is left of a bias falls with the square of
    the number of strata.
    """
    forget, controls = vector("forget", forget), vector("controls", controls)
    count = max(1, min(most, forget.size // LEAST_FORGET))
    cuts = np.unique(np.quantile(forget, np.arange(1, count) / count))
    width = caliper_of(forget, controls)
    near = (controls >= forget.min() - width) & (controls <= forget.max() + width)
    near |= not near.any()
    while cuts.size:
        ours, theirs = (np.searchsorted(cuts, side, "right") for side in (forget, controls[near]))
        short = np.flatnonzero(
            (np.bincount(theirs, minlength=cuts.size + 1) < LEAST_CONTROLS)
            | (np.bincount(ours, minlength=cuts.size + 1) == 0)
        )
        if not short.size:
            break
        cuts = np.delete(cuts, max(0, int(short[-1]) - 1))
    strata = np.where(near, np.searchsorted(cuts, controls, "right"), NOWHERE)
    return np.searchsorted(cuts, forget, "right").astype(np.int64), strata.astype(np.int64)


def crossed_strata(
    first: tuple[ArrayLike, ArrayLike], second: tuple[ArrayLike, ArrayLike]
) -> tuple[IntArray, IntArray]:
    """Cut one score into sqrt(m)/2 strata, and each of them by another score.

    Each score is a pair: of forget set [m] and of controls [n]. Returns as `balancing_strata` does. Source: propensity
    and prognostic score together, Leacy & Stuart 2014.
    """
    scores = [(vector("scores", ours), vector("scores", theirs)) for ours, theirs in (first, second)]
    outer = balancing_strata(*scores[0], max(1, round(math.sqrt(scores[0][0].size / 4))))
    codes = tuple(np.full(side.size, NOWHERE) for side in outer)
    start = 0
    for stratum in np.unique(outer[0]):
        where = [np.flatnonzero(side == stratum) for side in outer]
        inner = balancing_strata(scores[1][0][where[0]], scores[1][1][where[1]], INNER)
        for code, at, found in zip(codes, where, inner, strict=True):
            code[at] = np.where(found == NOWHERE, NOWHERE, found + start)
        start += int(inner[0].max()) + 1
    return codes[0], codes[1]


def strata_weights(forget_strata: ArrayLike, control_strata: ArrayLike) -> FloatArray:
    """Weigh controls by what their stratum holds of the forget set.

    Arguments are labels [m] and [n]. Returns weights [n], 0 in strata without forget examples, that add up to the share
    of the forget set that has controls.
    """
    ours, theirs = np.asarray(forget_strata), np.asarray(control_strata)
    names, codes = np.unique(theirs, return_inverse=True)
    codes = codes.reshape(-1)
    wanted = np.array([np.count_nonzero(ours == name) for name in names], dtype=np.float64)
    return np.asarray((wanted / len(ours) / np.bincount(codes))[codes])


def effective_size(weights: ArrayLike) -> float:
    """Count the equally weighted examples that would tell as much.

    `weights` [n] are at least 0 and finite. Returns (sum w)^2 / sum w^2, a number from 0 (no weight at all) to n.
    Raises ValueError for negative ones. Source: Kish 1965.
    """
    weights = vector("weights", weights)
    if (weights < 0.0).any():
        raise ValueError("weights must be at least 0")
    squares = float(weights @ weights)
    return float(weights.sum()) ** 2 / squares if squares > 0.0 else 0.0


def midrank_share(values: ArrayLike, scores: ArrayLike) -> float:
    """Return how far scores can be read off values, from 0 to 1.

    `values` [n] and `scores` [n]. The rank correlation of the two, as a share of the most that the ties of `values`
    allow. Returns a number in [0, 1], whatever the direction: 1 where equal values hold scores
    that lie side by side, so that the scores can be read off them; 0 where either is constant. Raises ValueError for
    empty or non-finite ones and other lengths. Source: Spearman 1904, with midranks.
    """
    values, scores = vector("values", values), vector("scores", scores)
    if values.size != scores.size:
        raise ValueError(f"{values.size} values do not belong to {scores.size} scores")
    x, y = (midranks(side).beaten(np.ones(side.size, dtype=np.bool_)) for side in (values, scores))
    x, y = x - x.mean(), y - y.mean()
    # Scores in the order of the values share most with these: midranks are then means of the scores' own ranks.
    ordered = np.sort(y)[np.argsort(np.argsort(x, kind="stable"), kind="stable")]
    most = float(x @ ordered)
    return min(1.0, abs(float(x @ y)) / most) if most > 0.0 else 0.0
