"""Who is compared with whom (same stratum), who is deleted together (same group), and what that does to variances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from pytest_unlearn.evidence import FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The strata and groups of one comparison; `kept` selects the controls whose stratum has forget examples.

    `forget` and `controls` (kept ones only) number the strata from 0; `groups` numbers the units of deletion from 0.
    """

    forget: IntArray
    controls: IntArray
    groups: IntArray
    kept: IntArray
    grouped: bool

    @property
    def n_forget(self) -> int:
        return int(self.forget.size)

    @property
    def n_controls(self) -> int:
        return int(self.controls.size)

    @property
    def units(self) -> int:
        """How many independent units of deletion the forget set holds: its groups, or its examples."""
        return int(self.groups.max()) + 1

    @property
    def forget_counts(self) -> IntArray:
        return np.bincount(self.forget).astype(np.int64)

    @property
    def control_counts(self) -> IntArray:
        return np.bincount(self.controls).astype(np.int64)

    @property
    def unit_counts(self) -> IntArray:
        """The number of distinct units in each stratum."""
        if not self.grouped:
            return self.forget_counts
        strata = int(self.forget.max()) + 1
        cells = np.unique(self.groups * strata + self.forget)
        return np.bincount(cells % strata, minlength=strata).astype(np.int64)

    @property
    def weights(self) -> FloatArray:
        """Each stratum's share of the forget set."""
        return self.forget_counts / self.n_forget

    @property
    def independent_pairs(self) -> int:
        """The most forget-control pairs that share neither a unit nor a control, within strata."""
        pairs = int(np.minimum(self.forget_counts, self.control_counts).sum())
        return min(self.units, pairs) if self.grouped else pairs

    def controls_mean(self, values: FloatArray) -> float:
        """The mean of `values` [kept controls] within each stratum, weighted by the strata of the forget set."""
        return float(self.weights @ (np.bincount(self.controls, weights=values) / self.control_counts))

    def forget_variance(self, values: FloatArray) -> float:
        """The variance of the mean of `values` [m], stratified, and cluster-robust over groups (Obuchowski 1997).

        A stratum of a single unit has no variance of its own. The variance of all values about their overall mean
        stands in for it: that includes the spread between strata, so it errs on the wide side. NaN for one unit.
        """
        if self.units < 2:
            return float("nan")
        counts, in_stratum = self.forget_counts, self.unit_counts
        alone = in_stratum < 2
        deviations = values - (np.bincount(self.forget, weights=values) / counts)[self.forget]
        scale = np.sqrt(in_stratum / np.where(alone, 1, in_stratum - 1))
        sums = np.bincount(self.groups, weights=(deviations * np.where(alone, 0.0, scale)[self.forget]))
        share_alone = np.bincount(self.groups, weights=alone[self.forget].astype(np.float64))
        total = float(sums @ sums) + float(share_alone @ share_alone) * float(values.var(ddof=1))
        return total / self.n_forget**2

    def control_variance(self, values: FloatArray) -> float:
        """The variance of `controls_mean(values)`; a stratum of one control borrows as above. NaN for one control."""
        if self.n_controls < 2:
            return float("nan")
        counts = self.control_counts
        alone = counts < 2
        deviations = values - (np.bincount(self.controls, weights=values) / counts)[self.controls]
        squares = np.bincount(self.controls, weights=deviations**2)
        spread = np.where(alone, values.var(ddof=1), squares / np.where(alone, 1, counts - 1))
        return float(np.sum(self.weights**2 * spread / counts))


def layout(
    n_forget: int,
    n_controls: int,
    forget_strata: ArrayLike | None = None,
    control_strata: ArrayLike | None = None,
    forget_groups: ArrayLike | None = None,
) -> Layout:
    """Match `n_forget` examples with `n_controls` by stratum; without strata everyone shares one.

    Raises ValueError when only one side has strata, when lengths differ, or when a stratum lacks controls.
    """
    if (forget_strata is None) != (control_strata is None):
        raise ValueError("pass forget_strata and control_strata together, or neither")
    groups = np.arange(n_forget)
    if forget_groups is not None:
        groups = np.unique(labels("forget_groups", forget_groups, n_forget), return_inverse=True)[1].reshape(-1)
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
    return Layout(
        forget=codes.astype(np.int64),
        controls=matched.astype(np.int64),
        groups=groups.astype(np.int64),
        kept=kept.astype(np.int64),
        grouped=forget_groups is not None,
    )


def labels(name: str, values: ArrayLike, length: int) -> IntArray:
    """`values` as an array of `length` labels (of any sortable type); ValueError otherwise."""
    array = np.asarray(values)
    if array.shape != (length,):
        raise ValueError(f"{name} must hold one label for each of {length} examples but has shape {array.shape}")
    return array
