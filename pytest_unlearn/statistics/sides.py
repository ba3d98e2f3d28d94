"""One side of a comparison: what its strata and its units, whose examples go together, do to the error of a mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pytest_unlearn.evidence import FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """The stratum, the unit and the share in the mean of each of k examples; shares add up to 1.

    `strata` [k] number from 0. `groups` [k] number the units, in one numbering with the other side: one that occurs
    on both is one unit. `counts` says how many examples there are in each stratum, `unit_counts` how many units, and
    `units` how many on this side.
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
        """The mean of `values` [k], each counted by its share."""
        return float(self.shares @ values)

    def totals(self, values: FloatArray, units: int = 0) -> FloatArray:
        """What each unit adds to the error of `mean(values)`, by its number, at least `units` of them.

        Deviations from the mean of the stratum, times sqrt(u/(u-1)) in a stratum of u units; none where u is 1.
        """
        several = self.unit_counts > 1
        scale = np.sqrt(several * self.unit_counts / np.where(several, self.unit_counts - 1, 1))
        deviations = values - (np.bincount(self.strata, weights=values) / self.counts)[self.strata]
        errors = self.shares * scale[self.strata] * deviations
        return np.bincount(self.groups, weights=errors, minlength=units).astype(np.float64)

    def variance(self, values: FloatArray) -> float:
        """The variance of `mean(values)`, stratified, and cluster-robust over units (Obuchowski 1997).

        A stratum of a single unit has no variance of its own. The variance of all values about their overall mean
        stands in for it: that includes the spread between strata, so it errs on the wide side. NaN for one unit.
        """
        if self.units < 2:
            return float("nan")
        totals, alone = self.totals(values), self.unit_counts < 2
        borrowed = np.bincount(self.groups, weights=self.shares * alone[self.strata])
        return float(totals @ totals) + float(borrowed @ borrowed) * float(values.var(ddof=1))


def side(strata: IntArray, groups: IntArray, shares: FloatArray, *, grouped: bool) -> Side:
    """The side of these examples; where it is not `grouped` no two of them share a number."""
    counts = np.bincount(strata)
    unit_counts, units = counts, strata.size
    if grouped:
        cells = np.unique(groups * counts.size + strata)
        unit_counts = np.bincount(cells % counts.size, minlength=counts.size)
        units = int(np.count_nonzero(np.bincount(groups)))
    return Side(
        strata=strata.astype(np.int64),
        groups=groups.astype(np.int64),
        shares=shares,
        counts=counts.astype(np.int64),
        unit_counts=unit_counts.astype(np.int64),
        units=units,
    )
