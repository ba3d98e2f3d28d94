"""Compute placements: the share of the other side that each example beats.

Everything about an AUC follows from them. Their sums need no placements where no two scores tie: one sort of all
scores, in integers. Midranks answer for every side at once: one sort, strata one after the other.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pytest_unlearn.core.evidence import FloatArray, IntArray
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
    table = midranks(np.concatenate([forget, controls]), strata)
    is_control = np.arange(forget.size + controls.size) >= forget.size
    return table.beaten(is_control)[: forget.size], table.beaten(~is_control)[forget.size :]


def auc(forget: ArrayLike, controls: ArrayLike) -> float:
    """Return how often a forget example scores above a control.

    Ties count one half. `forget` [m], `controls` [n]; returns a number in [0, 1], 1/2 under perfect unlearning. Raises
    ValueError for empty or non-finite scores. Source: Mann & Whitney 1947.
    """
    return float(placements(forget, controls)[0].mean())


_LAST_BYTE = 0 if sys.byteorder == "little" else 7
_BLOCK = 1 << 15
_LARGEST = 1 << 62  # sums of squares are kept in 64 bits


@dataclass(frozen=True, slots=True)
class PlacementSums:
    """Hold what an AUC and its DeLong variance need, exactly.

    `beaten` counts the pairs that the forget example wins; `forget_squares` adds up the squares of how many controls
    each forget example beats, `control_squares` those of how many forget examples are below each control.
    """

    n_forget: int
    n_controls: int
    beaten: int
    forget_squares: int
    control_squares: int

    @property
    def auc(self) -> float:
        """The share of pairs that the forget example wins."""
        return self.beaten / (self.n_forget * self.n_controls)

    @property
    def forget_variance(self) -> float:
        """What the forget examples contribute to DeLong's variance; needs two of them."""
        return _variance(self.forget_squares, self.beaten, self.n_forget, self.n_controls)

    @property
    def control_variance(self) -> float:
        """What the controls contribute to it; needs two of them."""
        lost = self.n_forget * self.n_controls - self.beaten
        return _variance(self.control_squares, lost, self.n_controls, self.n_forget)


def _variance(squares: int, total: int, count: int, others: int) -> float:
    return (count * squares - total**2) / (count**2 * (count - 1) * others**2)


def placement_sums(forget: FloatArray, controls: FloatArray) -> PlacementSums | None:
    """Add up placements in integers; None where two scores tie, or nearly do.

    `forget` [m] and `controls` [n] are finite. The last bit of each score makes room for the side that it is from, so
    that sorting the scores sorts the sides: with F forget examples below the j-th control, the sum over forget examples
    of the squares of controls beaten is sum_j (2j+1)(m - F_j). Also None above 4e18 = m n max(m, n). Source: Sun & Xu
    2014, with Abel summation.
    """
    m, n = forget.size, controls.size
    if m * n * max(m, n) > _LARGEST:
        return None
    pooled = np.empty(m + n)
    np.add(forget, 0.0, out=pooled[:m])  # -0.0 equals 0.0
    np.add(controls, 0.0, out=pooled[m:])
    bits = pooled.view(np.int64)
    bits[:m] &= -2
    bits[m:] |= 1
    pooled.sort()
    return _of_sorted(bits, m, n)


def _of_sorted(bits: IntArray, m: int, n: int) -> PlacementSums | None:
    """Add up, block by block so that it stays in the processor's cache."""
    places = np.arange(_BLOCK)
    differences = np.empty(_BLOCK, dtype=np.int64)
    is_control = bits.view(np.uint8)[_LAST_BYTE::8]
    beaten = forget_squares = control_squares = passed = 0
    for start in range(0, m + n, _BLOCK):
        block = bits[start : start + _BLOCK + 1]
        apart = np.bitwise_xor(block[:-1], block[1:], out=differences[: block.size - 1]).view(np.uint64)
        if apart.size and apart.min() < 2:  # all bits but the last agree
            return None
        below = np.flatnonzero((is_control[start : start + _BLOCK] & 1).view(np.bool_))
        place = places[: below.size]
        below += start - passed - place  # how many forget examples are below each control
        control_squares += int(below @ below)
        np.subtract(m, below, out=below)
        above = int(below.sum())
        beaten += above
        forget_squares += 2 * (int(place @ below) + passed * above) + above
        passed += below.size
    return PlacementSums(m, n, beaten, forget_squares, control_squares)


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
    return Midranks(order, runs, np.append(heads, scores.size), starts)


def _by_stratum(strata: IntArray) -> IntArray:
    """Sort stably by stratum: by radix where 16 bits hold them."""
    small = strata.astype(np.uint16) if strata.max() < 1 << 16 else strata
    return np.argsort(small, kind="stable")
