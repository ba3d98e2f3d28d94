"""Add up placements by unit of deletion.

That is all a clustered AUC and its variance need: of a million examples of some persons nobody asks for each one's
placement, but for what each person's add up to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_unlearn.core.evidence import FloatArray, IntArray
from pytest_unlearn.statistics.auc.ordering import coded, counted, order_of
from pytest_unlearn.statistics.auc.strata import Sizes

_LARGEST = 1 << 53  # whole numbers below are exact in floating point


@dataclass(frozen=True, slots=True)
class UnitSums:
    """Hold what an AUC and its variance need where examples come in units.

    `variances` are those of forget set and controls, and the covariance of the two; `sizes` describes the units of each
    side, of which there are `units` on each and `all_units` in all: fewer than the two together where one has examples
    on both.
    """

    auc: float
    variances: tuple[float, float, float]
    sizes: tuple[Sizes, Sizes]
    units: tuple[int, int]
    all_units: int


def unit_sums(
    forget: FloatArray, controls: FloatArray, forget_groups: NDArray[Any] | None, control_groups: NDArray[Any] | None
) -> UnitSums | None:
    """Add up the pairs that each unit wins.

    None where scores tie, or a side is one unit. `forget` [m] and `controls` [n] are finite, `forget_groups` and
    `control_groups` as in `auc_measure`. Variances as `Clusters` and `Layout` find them in a single stratum. Source:
    Obuchowski 1997.
    """
    m, n = forget.size, controls.size
    if m * n >= _LARGEST:
        return None
    order, ordered = order_of(np.concatenate([forget, controls]))
    if (ordered[1:] == ordered[:-1]).any():
        return None
    units, count = _numbered(forget_groups, control_groups, m, n)
    units[m:] += count
    examples = np.split(np.bincount(units, minlength=2 * count), 2)
    sums = np.bincount(units[order], weights=_wins(order >= m), minlength=2 * count)
    won = np.split(sums.astype(np.float64, copy=False), 2)
    present = examples[0] > 0, examples[1] > 0
    numbers = int(np.count_nonzero(present[0])), int(np.count_nonzero(present[1]))
    together = int(np.count_nonzero(present[0] | present[1]))
    if min(numbers) < 2:
        return None
    total = float(won[0].sum())
    for error, sizes, mean in zip(won, examples, (total / m, m - total / n), strict=True):
        error -= sizes * mean
        error /= m * n  # what the unit adds to the error of the AUC; of controls, the other way round
    first, second, both = (units / (units - 1.0) for units in (*numbers, together))
    return UnitSums(
        auc=total / (m * n),
        variances=(
            first * float(won[0] @ won[0]),
            second * float(won[1] @ won[1]),
            -both * float(won[0] @ won[1]) if together < sum(numbers) else 0.0,
        ),
        sizes=(_sizes(examples[0], m), _sizes(examples[1], n)),
        units=numbers,
        all_units=together,
    )


def _wins(is_control: NDArray[np.bool_]) -> FloatArray:
    """Count how many of the other side come before each example [k], in order of scores."""
    passed = np.cumsum(is_control, dtype=np.int32 if is_control.size < 1 << 31 else np.int64)
    wins = np.arange(1.0, is_control.size + 1.0)
    np.subtract(wins, passed, out=wins, where=is_control)
    np.copyto(wins, passed, where=~is_control)
    return wins


def _sizes(examples: IntArray, count: int) -> Sizes:
    """Describe units of one stratum of `count` examples; there are only so many sizes."""
    sizes, times = counted(examples)
    shares = sizes / count
    powers = [np.array([times @ shares**k]) for k in (2, 3, 4)]
    return Sizes.of_moments(np.array([times[sizes > 0].sum()]), *powers)


def _numbered(ours: NDArray[Any] | None, theirs: NDArray[Any] | None, m: int, n: int) -> tuple[IntArray, int]:
    """Give a number to each unit of m forget examples, then n controls; some belong to none."""
    if ours is not None and theirs is not None:
        return coded(np.concatenate([ours, theirs]))
    sides = [np.arange(size) if ids is None else coded(ids)[0] for ids, size in ((ours, m), (theirs, n))]
    start = int(sides[0].max()) + 1
    return np.concatenate([sides[0], sides[1] + start]), start + int(sides[1].max()) + 1
