"""Where each example stands among the others of its stratum: one sort of all scores answers for every side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pytest_unlearn.evidence import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Standings:
    """Scores [k] in order, strata one after the other, equal scores of a stratum in one run.

    `order` [k] sorts them, `runs` [k] numbers the run of each score as given, `ends` [runs + 1] says where in the order
    each run begins and the last one ends, `starts` [runs] where its stratum does.
    """

    order: IntArray
    runs: IntArray
    ends: IntArray
    starts: IntArray

    def beaten(self, others: NDArray[np.bool_]) -> FloatArray:
        """How many of `others` (a mask [k]) of its stratum each example [k] outscores, equals counting one half."""
        passed = self._passed(others)
        reached = passed[self.ends]
        below_and_up_to = reached[:-1] + reached[1:] - 2 * passed[self.starts]
        return (below_and_up_to.astype(np.float64) / 2.0)[self.runs]

    def ties(self, ours: NDArray[np.bool_], theirs: NDArray[np.bool_]) -> int:
        """How many pairs of one of `ours` and one of `theirs` (masks [k]) tie, in score and stratum."""
        first, second = (np.diff(self._passed(side)[self.ends]) for side in (ours, theirs))
        return int(first @ second)

    def _passed(self, others: NDArray[np.bool_]) -> IntArray:
        passed = np.zeros(self.order.size + 1, dtype=np.int64)
        np.cumsum(others[self.order], out=passed[1:])
        return passed


def standings(scores: FloatArray, strata: IntArray | None = None) -> Standings:
    """The standings of finite `scores` [k], compared within `strata` [k] (numbers from 0) where there are any."""
    order = np.argsort(scores)
    if strata is not None:
        order = order[_by_stratum(strata[order])]
    ordered = scores[order]
    first = np.ones(scores.size, dtype=np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    if strata is not None:
        blocks = strata[order]
        first[1:] |= blocks[1:] != blocks[:-1]
    heads = np.flatnonzero(first)
    starts = np.zeros_like(heads) if strata is None else np.searchsorted(blocks, blocks[heads])
    runs = np.empty(scores.size, dtype=np.int64)
    runs[order] = np.cumsum(first) - 1
    return Standings(order, runs, np.append(heads, scores.size), starts)


def _by_stratum(strata: IntArray) -> IntArray:
    """What sorts them and leaves equals in place: by radix where 16 bits hold them."""
    small = strata.astype(np.uint16) if strata.max() < 1 << 16 else strata
    return np.argsort(small, kind="stable")
