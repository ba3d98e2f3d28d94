"""Add up placements in whole numbers: all that an AUC and its variance need.

Of a million scores nobody asks for each one's placement: one sort of integers, each with the side that it is from as
its last bit, gives their sums and the sums of their squares exactly, with ties or without.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np

from pytest_unlearn.core.evidence import FloatArray, IntArray

_LAST_BYTE = 0 if sys.byteorder == "little" else 7
_BLOCK = 1 << 15
_SAMPLE = 1 << 10  # where some of these tie, sorting as if none did is not even tried
_LARGEST = 1 << 62  # sums of squares are kept in 64 bits
_ALL_BUT_SIGN = np.int64((1 << 63) - 1)
_SPARE = np.int64(512 << 52)  # exponents that scores below 1e154 leave unused


@dataclass(frozen=True, slots=True)
class PlacementSums:
    """Hold what an AUC and its DeLong variance need, exactly.

    A tie is half a win, so everything is counted in halves: `half_wins` of the forget examples over controls;
    `forget_squares` adds up the squares of the half wins of each forget example, `control_squares` those of each
    control over the forget examples.
    """

    n_forget: int
    n_controls: int
    half_wins: int
    forget_squares: int
    control_squares: int

    @property
    def auc(self) -> float:
        """The share of pairs that the forget example wins."""
        return self.half_wins / (2 * self.n_forget * self.n_controls)

    @property
    def forget_variance(self) -> float:
        """What the forget examples contribute to DeLong's variance; needs two of them."""
        return _variance(self.forget_squares, self.half_wins, self.n_forget, self.n_controls)

    @property
    def control_variance(self) -> float:
        """What the controls contribute to it; needs two of them."""
        lost = 2 * self.n_forget * self.n_controls - self.half_wins
        return _variance(self.control_squares, lost, self.n_controls, self.n_forget)


def _variance(squares: int, total: int, count: int, others: int) -> float:
    return (count * squares - total**2) / (4 * count**2 * (count - 1) * others**2)


def placement_sums(forget: FloatArray, controls: FloatArray) -> PlacementSums | None:
    """Add up placements in integers; None where 64 bits do not hold them.

    `forget` [m] and `controls` [n] are finite. None above 1e18 = m n max(m, n), and where scores tie, or nearly do, and
    some are beyond 1e154 or, 0 aside, within 1e-153. Source: Sun & Xu 2014, with Abel summation.
    """
    if 4 * forget.size * controls.size * max(forget.size, controls.size) > _LARGEST:
        return None
    sample = np.sort(controls[:_SAMPLE])
    sums = None if (sample[1:] == sample[:-1]).any() else _without_ties(forget, controls)
    return _with_ties(forget, controls) if sums is None else sums


def _without_ties(forget: FloatArray, controls: FloatArray) -> PlacementSums | None:
    """Sort scores whose last bit has made room for the side; None if that ties any.

    With F forget examples below the j-th control, the sum over forget examples of the squares of controls beaten is
    sum_j (2j+1)(m - F_j).
    """
    m, n = forget.size, controls.size
    pooled = np.empty(m + n)
    np.add(forget, 0.0, out=pooled[:m])  # -0.0 equals 0.0
    np.add(controls, 0.0, out=pooled[m:])
    bits = pooled.view(np.int64)
    bits[:m] &= -2
    bits[m:] |= 1
    pooled.sort()
    return _of_sorted(bits, m, n)


def _with_ties(forget: FloatArray, controls: FloatArray) -> PlacementSums | None:
    """Sort scores that gave up exponents instead, so that no bit of theirs is lost."""
    m, n = forget.size, controls.size
    keys = np.concatenate([forget, controls])
    keys += 0.0
    keys = keys.view(np.int64)
    keys ^= (keys >> 63) & _ALL_BUT_SIGN  # negative numbers are stored the other way round
    sizes = np.abs(keys)
    if sizes.max() >= 3 * _SPARE or (sizes[sizes > 0].min(initial=3 * _SPARE) <= _SPARE):
        return None
    keys -= np.sign(keys) * _SPARE
    keys <<= 1
    keys[m:] |= 1
    keys.sort()
    heads = np.flatnonzero(np.concatenate([[True], (keys[1:] ^ keys[:-1]).view(np.uint64) > 1]))
    passed = np.concatenate([[0], np.cumsum(keys & 1)])[np.append(heads, m + n)]
    tied_controls = np.diff(passed)
    tied_forget = np.diff(np.append(heads, m + n)) - tied_controls
    over_controls, over_forget = passed[:-1] + passed[1:], 2 * (heads - passed[:-1]) + tied_forget
    won = tied_forget * over_controls
    return PlacementSums(
        m, n, int(won.sum()), int(won @ over_controls), int((tied_controls * over_forget) @ over_forget)
    )


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
    return PlacementSums(m, n, 2 * beaten, 4 * forget_squares, 4 * control_squares)
