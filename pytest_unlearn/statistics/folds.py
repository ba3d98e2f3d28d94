"""Split examples into folds for learned attacks, units of deletion whole."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from pytest_unlearn.core.evidence import FloatArray, IntArray
from pytest_unlearn.statistics.residual import normal_scores

FOLDS = 5


def folds(strata: ArrayLike, groups: ArrayLike | None = None, *, count: int = FOLDS, seed: int = 0) -> IntArray:
    """Assign each example to a fold, shape (examples,), numbered from 0.

    Args:
        strata: a label an example, shape (examples,): each fold gets its share of each.
        groups: the unit an example belongs to, shape (examples,): a unit stays in one fold.
        count: how many folds; fewer where there are fewer units.
        seed: of the draw.
    """
    strata = np.asarray(strata)
    units = np.arange(len(strata)) if groups is None else np.unique(groups, return_inverse=True)[1].reshape(-1)
    first = np.unique(units, return_index=True)[1]
    order = np.random.default_rng(seed).permutation(len(first))
    order = order[np.argsort(strata[first][order], kind="stable")]
    of_unit = np.empty(len(first), dtype=np.int64)
    of_unit[order] = np.arange(len(first)) % min(count, len(first))
    return np.asarray(of_unit[units])


def out_of_fold(fold: IntArray, score: Callable[[IntArray, IntArray], FloatArray]) -> FloatArray:
    """Score every example by a model that was fitted on the other folds.

    Args:
        fold: the fold of each example, shape (examples,).
        score: `score(fitted, held)`: fits on the positions `fitted` and scores the positions `held`.
    """
    scores = np.zeros(len(fold))
    for number in np.unique(fold):
        held = np.flatnonzero(fold == number)
        scores[held] = score(np.flatnonzero(fold != number), held)
    return scores


def rank_within_folds(scores: FloatArray, fold: IntArray) -> FloatArray:
    """Turn scores into normal scores among those of their fold."""
    return out_of_fold(fold, lambda _, held: normal_scores(scores[held], scores[held]))
