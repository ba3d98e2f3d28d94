"""Compute placements: the share of the other side that each example beats.

Everything about an AUC follows from them. Midranks answer for every side at once: one sort, strata one after the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pytest_unlearn.core.evidence import FloatArray, IntArray
from pytest_unlearn.statistics.auc.ordering import order_of
from pytest_unlearn.statistics.auc.strata import Layout
from pytest_unlearn.statistics.validation import vector


def placements(forget: ArrayLike, controls: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return the share of the other side that each example beats.

    Ties count one half. `forget` [m] and `controls` [n] are finite scores, higher meaning more member-like. Returns V10
    [m], the share of controls below each forget example, and V01 [n], the share of forget examples above each control;
    the mean of either is the AUC, and all are 1/2 in expectation under perfect unlearning. O((m+n) log(m+n)). Raises
    ValueError for empty or non-finite scores. Source: DeLong 1988; Sun & Xu 2014.
    """
    return _placements(vector("forget", forget), vector("controls", controls))


def stratified_placements(forget: FloatArray, controls: FloatArray, design: Layout) -> tuple[FloatArray, FloatArray]:
    """Compute placements within strata; `controls` holds the kept ones only."""
    if design.forget.counts.size == 1:
        return _placements(forget, controls)
    ours, theirs = design.forget, design.controls
    v10, v01 = _beaten(forget, controls, np.concatenate([ours.strata, theirs.strata]))
    return v10 / theirs.counts[ours.strata], 1.0 - v01 / ours.counts[theirs.strata]


def _placements(forget: FloatArray, controls: FloatArray) -> tuple[FloatArray, FloatArray]:
    v10, v01 = _beaten(forget, controls, None)
    return v10 / controls.size, 1.0 - v01 / forget.size


def _beaten(forget: FloatArray, controls: FloatArray, strata: IntArray | None) -> tuple[FloatArray, FloatArray]:
    """Count how many of the other side each example outscores."""
    is_control = np.arange(forget.size + controls.size) >= forget.size
    table = midranks(np.concatenate([forget, controls]), strata)
    return table.of_either(is_control, forget.size)


def auc(forget: ArrayLike, controls: ArrayLike) -> float:
    """Return how often a forget example scores above a control.

    Ties count one half. `forget` [m], `controls` [n]; returns a number in [0, 1], 1/2 under perfect unlearning. Raises
    ValueError for empty or non-finite scores. Source: Mann & Whitney 1947.
    """
    return float(placements(forget, controls)[0].mean())


@dataclass(frozen=True, slots=True)
class Midranks:
    """Hold scores [k] in order, strata in turn, equals of a stratum in one run.

    `order` [k] sorts them, `runs` [k] numbers the run of each score as given, `ends` [runs + 1] is where in the order
    each run begins and the last one ends, `starts` [runs] where its stratum does.
    """

    order: IntArray
    runs: IntArray
    ends: IntArray
    starts: IntArray

    def beaten(self, others: NDArray[np.bool_]) -> FloatArray:
        """Count how many of `others` in its stratum each example outscores.

        `others` is a mask [k]; equals count one half.
        """
        passed = self._passed(others)
        reached = passed[self.ends]
        below_and_up_to = reached[:-1] + reached[1:] - 2 * passed[self.starts]
        return (below_and_up_to.astype(np.float64) / 2.0)[self.runs]

    def of_either(self, second: NDArray[np.bool_], size: int) -> tuple[FloatArray, FloatArray]:
        """Count how many of the other side in its stratum each example outscores.

        The mask `second` [k] is false for the first `size` examples and true for the others.
        """
        passed = self._passed(second)
        reached, begun = passed[self.ends], passed[self.starts]
        of_second = reached[:-1] + reached[1:] - 2 * begun
        left = self.ends - reached
        of_first = left[:-1] + left[1:] - 2 * (self.starts - begun)
        return (of_second / 2.0)[self.runs[:size]], (of_first / 2.0)[self.runs[size:]]

    def ties(self, ours: NDArray[np.bool_], theirs: NDArray[np.bool_]) -> int:
        """Count the pairs of `ours` and `theirs` (masks [k]) that tie."""
        first, second = (np.diff(self._passed(side)[self.ends]) for side in (ours, theirs))
        return int(first @ second)

    def _passed(self, others: NDArray[np.bool_]) -> IntArray:
        passed = np.zeros(self.order.size + 1, dtype=np.int64)
        np.cumsum(others[self.order], out=passed[1:])
        return passed


def midranks(scores: FloatArray, strata: IntArray | None = None) -> Midranks:
    """Rank finite `scores` [k], within `strata` [k] (from 0) where there are any."""
    order, ordered = order_of(scores)
    if strata is not None:
        within = by_stratum(strata[order])
        order, ordered = order[within], ordered[within]
    first = np.ones(scores.size, dtype=np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    if strata is not None:
        blocks = strata[order]
        first[1:] |= blocks[1:] != blocks[:-1]
    heads = np.flatnonzero(first)
    starts = np.zeros_like(heads) if strata is None else np.searchsorted(blocks, blocks[heads])
    runs = np.empty(scores.size, dtype=np.int64)
    runs[order] = np.cumsum(first) - 1
    return Midranks(order, runs, np.append(heads, scores.size), starts)


def by_stratum(strata: IntArray) -> IntArray:
    """Sort stably by stratum: by radix where 16 bits hold them."""
    small = strata.astype(np.uint16) if strata.max() < 1 << 16 else strata
    return np.argsort(small, kind="stable")
