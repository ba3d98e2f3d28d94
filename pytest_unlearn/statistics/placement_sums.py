"""Sums over placements without the placements: one sort of all scores, in integers, where no two of them tie."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np

from pytest_unlearn.evidence import FloatArray, IntArray

_LAST_BYTE = 0 if sys.byteorder == "little" else 7
_BLOCK = 1 << 15
_LARGEST = 1 << 62  # sums of squares are kept in 64 bits


@dataclass(frozen=True, slots=True)
class PlacementSums:
    """What an AUC and its DeLong variance need, exactly.

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
    """The sums for finite scores `forget` [m] and `controls` [n]; None where two of them tie, or nearly do.

    The last bit of each score makes room for the side that it is from, so that sorting the scores sorts the sides: with
    F forget examples below the j-th control, the sum over forget examples of the squares of controls beaten is
    sum_j (2j+1)(m - F_j). Also None above 4e18 = m n max(m, n). Source: Sun & Xu 2014, with Abel summation.
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
