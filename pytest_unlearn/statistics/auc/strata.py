"""Lay out a comparison: strata to compare within, units that go together.

Each side knows what its strata and its units do to the error of a mean.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from pytest_unlearn.core.evidence import FloatArray, IntArray

REMEMBERED_EXAMPLES = 100_000  # beyond these the memory is worth more than the time
Packed = tuple[str, tuple[int, ...], bytes]  # an array's type, shape and content: something to look it up by


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Hold the two sides of one comparison.

    `kept` selects the controls whose stratum has forget examples. Strata are weighted by their forget examples. `units`
    counts the distinct units of both sides together: fewer than the sum of theirs where a unit has examples on both.
    """

    forget: Clusters
    controls: Clusters
    kept: IntArray
    units: int

    @property
    def weights(self) -> FloatArray:
        """Each stratum's share of the forget set."""
        return self.forget.counts / self.forget.size

    @property
    def independent_pairs(self) -> int:
        """The most forget-control pairs of which no two share a unit."""
        within = int(np.minimum(self.forget.unit_counts, self.controls.unit_counts).sum())
        return max(1, min(self.forget.units, self.controls.units, self.units // 2, within))

    def covariance(self, forget_values: FloatArray, control_values: FloatArray) -> float:
        """Return the covariance of the two sides' means, 0 without common units.

        `forget_values` are [m], `control_values` [kept n]. Never so negative that the two variances and twice this add
        up to less than 0: each unit enters all three by the same totals. A stratum with a single unit on a side adds
        nothing. Source: Obuchowski 1997.
        """
        if self.units == self.forget.units + self.controls.units or min(self.forget.units, self.controls.units) < 2:
            return 0.0
        ours, theirs = self.forget.totals(forget_values, self.units), self.controls.totals(control_values, self.units)
        # Totals carry the correction of their own side; the covariance takes that of all units, which is smaller.
        apart = math.sqrt(_correction(self.forget.units) * _correction(self.controls.units))
        return float(ours @ theirs) * _correction(self.units) / apart


def _correction(units: int) -> float:
    return units / (units - 1.0)


def layout(
    n_forget: int,
    n_controls: int,
    forget_strata: ArrayLike | None = None,
    control_strata: ArrayLike | None = None,
    forget_groups: ArrayLike | None = None,
    control_groups: ArrayLike | None = None,
) -> Layout:
    """Match `n_forget` examples with `n_controls` by stratum.

    Without strata all share one. A group that is named on both sides is one unit; where a side has no groups each of
    its examples is a unit. Raises ValueError when only one side has strata, when lengths differ, or when a stratum
    lacks controls.
    """
    given = forget_strata, control_strata, forget_groups, control_groups
    whole = all(one is None or (isinstance(one, np.ndarray) and one.dtype.kind in "iub") for one in given)
    if whole and n_forget + n_controls <= REMEMBERED_EXAMPLES:
        packed = [None if one is None else (one.dtype.str, one.shape, one.tobytes()) for one in given]  # type: ignore[union-attr]
        return _remembered(n_forget, n_controls, *packed)
    return _layout(n_forget, n_controls, *given)


@lru_cache(maxsize=32)  # every attack on every model of an audit compares the same examples
def _remembered(n_forget: int, n_controls: int, *packed: Packed | None) -> Layout:
    given = [None if one is None else np.frombuffer(one[2], dtype=one[0]).reshape(one[1]) for one in packed]
    return _layout(n_forget, n_controls, *given)


def _layout(
    n_forget: int,
    n_controls: int,
    forget_strata: ArrayLike | None,
    control_strata: ArrayLike | None,
    forget_groups: ArrayLike | None,
    control_groups: ArrayLike | None,
) -> Layout:
    if (forget_strata is None) != (control_strata is None):
        raise ValueError("pass forget_strata and control_strata together, or neither")
    if forget_strata is None or control_strata is None:
        codes, matched = np.zeros(n_forget, dtype=np.int64), np.zeros(n_controls, dtype=np.int64)
        kept = np.arange(n_controls)
    else:
        names, codes = np.unique(labels("forget_strata", forget_strata, n_forget), return_inverse=True)
        theirs = labels("control_strata", control_strata, n_controls)
        kept = np.flatnonzero(np.isin(theirs, names))
        without = np.setdiff1d(names, theirs)
        if without.size:
            listed = ", ".join(str(name) for name in without[:10]) + (", ..." if without.size > 10 else "")
            raise ValueError(f"no control in stratum {listed}; add controls of it or leave its forget examples out")
        codes, matched = codes.reshape(-1), np.searchsorted(names, theirs[kept])
    ours = None if forget_groups is None else labels("forget_groups", forget_groups, n_forget)
    others = None if control_groups is None else labels("control_groups", control_groups, n_controls)[kept]
    owners, owned, units = _numbered(ours, others, n_forget, kept.size)
    shares = np.bincount(codes) / n_forget / np.bincount(matched)
    return Layout(
        forget=clusters(codes, owners, np.full(n_forget, 1.0 / n_forget), grouped=ours is not None),
        controls=clusters(matched, owned, shares[matched], grouped=others is not None),
        kept=kept.astype(np.int64),
        units=units,
    )


def _numbered(ours: IntArray | None, theirs: IntArray | None, m: int, n: int) -> tuple[IntArray, IntArray, int]:
    """Enumerate the units of m forget examples and n controls together, and count."""
    if ours is not None and theirs is not None:
        names, numbers = np.unique(np.concatenate([ours, theirs]), return_inverse=True)
        numbers = numbers.reshape(-1).astype(np.int64)
        return numbers[:m], numbers[m:], names.size
    first, second = (
        np.arange(k) if ids is None else np.unique(ids, return_inverse=True)[1].reshape(-1)
        for ids, k in ((ours, m), (theirs, n))
    )
    start = int(first.max()) + 1
    return first.astype(np.int64), (second + start).astype(np.int64), start + int(second.max()) + 1


def labels(name: str, values: ArrayLike, length: int) -> IntArray:
    """Check an array of `length` labels, of any sortable type."""
    array = np.asarray(values)
    if array.shape != (length,):
        raise ValueError(f"{name} must hold one label for each of {length} examples but has shape {array.shape}")
    return array


@dataclass(frozen=True, slots=True, kw_only=True)
class Clusters:
    """Hold the stratum, the unit and the share in the mean of k examples.

    Shares add up to 1. `strata` [k] number from 0. `groups` [k] number the units, in one numbering with the other side:
    one that occurs on both is one unit. `counts` is how many examples there are in each stratum, `unit_counts` how
    many units, and `units` how many on this side.
    """

    strata: IntArray
    groups: IntArray
    shares: FloatArray
    counts: IntArray
    unit_counts: IntArray
    units: int

    @property
    def size(self) -> int:
        """How many examples."""
        return int(self.strata.size)

    def mean(self, values: FloatArray) -> float:
        """Average `values` [k], each counted by its share."""
        return float(self.shares @ values)

    def totals(self, values: FloatArray, units: int = 0) -> FloatArray:
        """Add up what each unit adds to the error of `mean(values)`.

        By its number, at least `units` of them: Deviations from the mean of the stratum, times sqrt(u/(u-1)) in a
        stratum of u units; none where u is 1.
        """
        several = self.unit_counts > 1
        scale = np.sqrt(several * self.unit_counts / np.where(several, self.unit_counts - 1, 1))
        deviations = values - (np.bincount(self.strata, weights=values) / self.counts)[self.strata]
        errors = self.shares * scale[self.strata] * deviations
        return np.bincount(self.groups, weights=errors, minlength=units).astype(np.float64)

    def variance(self, values: FloatArray) -> float:
        """Return the variance of `mean(values)`, stratified and cluster-robust.

        Source: Obuchowski 1997. A stratum of a single unit has no variance of its own. The variance of all values about
        their overall mean stands in for it: that includes the spread between strata, so it errs on the wide side. NaN
        for one unit.
        """
        if self.units < 2:
            return float("nan")
        totals, alone = self.totals(values), self.unit_counts < 2
        borrowed = np.bincount(self.groups, weights=self.shares * alone[self.strata])
        return float(totals @ totals) + float(borrowed @ borrowed) * float(values.var(ddof=1))


def clusters(strata: IntArray, groups: IntArray, shares: FloatArray, *, grouped: bool) -> Clusters:
    """Make a side of these examples; no two share a number unless `grouped`."""
    counts = np.bincount(strata)
    unit_counts, units = counts, strata.size
    if grouped:
        cells = np.unique(groups * counts.size + strata)
        unit_counts = np.bincount(cells % counts.size, minlength=counts.size)
        units = int(np.count_nonzero(np.bincount(groups)))
    return Clusters(
        strata=strata.astype(np.int64),
        groups=groups.astype(np.int64),
        shares=shares,
        counts=counts.astype(np.int64),
        unit_counts=unit_counts.astype(np.int64),
        units=units,
    )
