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
from pytest_unlearn.statistics.auc.ordering import counted, numbered
from pytest_unlearn.statistics.quantiles import FEW_UNITS, pooled_degrees

REMEMBERED_EXAMPLES = 100_000  # beyond these the memory is worth more than the time
Sides = tuple[FloatArray, FloatArray]  # one number a stratum, of forget and of controls
FEW_DEGREES = 2.0 * (FEW_UNITS - 1)  # of two sides that have a unit more than few
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
    def independent_pairs(self) -> float:
        """How many forget-control pairs, no two of which share a unit, are worth as much.

        All p_s pairs of stratum s win with probability a_s^p_s, and prod a_s^p_s <= (sum w_s a_s)^(min p_s / w_s) by
        Jensen's inequality: a stratum with few pairs for its weight w_s may hide every loss.
        """
        within = np.minimum(self.forget.unit_counts, self.controls.unit_counts) / self.weights
        return max(1.0, float(min(self.forget.units, self.controls.units, self.units // 2, within.min())))

    @property
    def null_parts(self) -> tuple[FloatArray, FloatArray]:
        """What each stratum adds to the variance of exchangeable scores' AUC, by side.

        They add up to w^2 (m + n + 1) / (12 m n) in a stratum of m and n units.
        """
        m, n = self.forget.effective, self.controls.effective
        squares, shared = self.weights**2 / 12.0, 0.5 / (m * n)
        return squares * (1.0 / m + shared), squares * (1.0 / n + shared)

    @property
    def null_degrees(self) -> float:
        """The degrees of freedom of exchangeable scores' variance."""
        return self.degrees(self.null_parts)

    @property
    def worth(self) -> tuple[float, float]:
        """How many units of a single stratum show as much on each side.

        By `independent_pairs`' argument: a stratum with few units for its weight may hide whatever was not seen.
        """
        first, second = (
            float(min(side.units, (side.unit_counts / self.weights).min())) for side in (self.forget, self.controls)
        )
        return first, second

    def alike(self, parts: Sides) -> Sides:
        """Return the variance of each stratum if all varied as much as they do on average."""
        return self._alike(self.forget, parts[0]), self._alike(self.controls, parts[1])

    def _alike(self, side: Clusters, parts: FloatArray) -> FloatArray:
        designed, degrees = self.weights**2 / side.effective, side.unit_counts - 1.0
        total = float(degrees.sum())
        return np.asarray(designed * float(degrees @ (parts / designed)) / total) if total > 0.0 else parts

    def missing(self, parts: Sides, *floors: Sides) -> float:
        """Return what variances lack for unequal units, and of each floor for few.

        Many strata of few units do not all look alike by luck: their floors count while degrees are few as well.
        """
        lacking, uncertain = 0.0, self.degrees(parts, *floors) < FEW_DEGREES
        for number, side in enumerate((self.forget, self.controls)):
            whole = parts[number] / side.shown
            few = uncertain & (side.unit_counts < FEW_UNITS)
            short = [float(np.sum((floor[number] - whole)[few])) for floor in floors]
            lacking += float(np.sum(whole - parts[number])) + max(0.0, *short)
        return lacking

    def degrees(self, parts: Sides, *floors: Sides) -> float:
        """Pool the degrees of freedom of each stratum's and side's variance.

        A variance that is small by luck must not hand its weight to surer ones, so none of few units counts for less
        than its floors. Sides that share units are no two samples: the less certain one decides. Source: Satterthwaite
        1946.
        """
        totals, degrees = self.sides(parts, *floors)
        return pooled_degrees(totals, degrees) if self.apart else min(degrees)

    @property
    def apart(self) -> bool:
        """Whether no unit has examples on both sides."""
        return self.units == self.forget.units + self.controls.units

    def sides(self, parts: Sides, *floors: Sides) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return each side's variance, raised if few units, and its degrees."""
        totals, degrees = [], []
        for number, side in enumerate((self.forget, self.controls)):
            least = np.max([parts[number], *(floor[number] for floor in floors)], axis=0)
            raised = np.where(side.unit_counts < FEW_UNITS, least, parts[number])
            totals.append(float(raised.sum()))
            degrees.append(float(min(side.across, pooled_degrees(raised, side.degrees))))
        return (totals[0], totals[1]), (degrees[0], degrees[1])

    def covariance(self, forget_values: FloatArray, control_values: FloatArray) -> float:
        """Return the covariance of the two sides' means, 0 without common units.

        `forget_values` are [m], `control_values` [kept n]. Never so negative that the two variances and twice this add
        up to less than 0: each unit enters all three by the same totals. A stratum with a single unit on a side adds
        nothing. Source: Obuchowski 1997.
        """
        if self.apart or min(self.forget.units, self.controls.units) < 2:
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
        names, codes = numbered(labels("forget_strata", forget_strata, n_forget))
        others, matched = numbered(labels("control_strata", control_strata, n_controls))
        without = np.setdiff1d(names, others)
        if without.size:
            listed = ", ".join(str(name) for name in without[:10]) + (", ..." if without.size > 10 else "")
            raise ValueError(f"no control in stratum {listed}; add controls of it or leave its forget examples out")
        known = np.isin(others, names)
        kept = np.flatnonzero(known[matched])
        matched = np.searchsorted(names, others)[matched[kept]]
    ours = None if forget_groups is None else labels("forget_groups", forget_groups, n_forget)
    theirs = None if control_groups is None else labels("control_groups", control_groups, n_controls)[kept]
    owners, owned, units = _numbered(ours, theirs, n_forget, kept.size)
    shares = np.bincount(codes) / n_forget / np.bincount(matched)
    return Layout(
        forget=clusters(codes, owners, np.full(n_forget, 1.0 / n_forget), grouped=ours is not None),
        controls=clusters(matched, owned, shares[matched], grouped=theirs is not None),
        kept=kept.astype(np.int64),
        units=units,
    )


def _numbered(ours: IntArray | None, theirs: IntArray | None, m: int, n: int) -> tuple[IntArray, IntArray, int]:
    """Enumerate the units of m forget examples and n controls together, and count."""
    if ours is not None and theirs is not None:
        names, numbers = numbered(np.concatenate([ours, theirs]))
        return numbers[:m], numbers[m:], names.size
    first, second = (np.arange(k) if ids is None else numbered(ids)[1] for ids, k in ((ours, m), (theirs, n)))
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
    many units; `effective`, `shown` and `degrees` are as in `Sizes`, the last infinite for many single examples.
    `units` is how many there are on this side, `across` the degrees they allow where some lie in several strata.
    """

    strata: IntArray
    groups: IntArray
    shares: FloatArray
    counts: IntArray
    unit_counts: IntArray
    effective: FloatArray
    shown: FloatArray
    degrees: FloatArray
    across: float
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
        """Return the cluster-robust variance of `mean(values)`; NaN for one unit."""
        return float(self.parts(values).sum())

    def parts(self, values: FloatArray) -> FloatArray:
        """Split the variance of `mean(values)` by stratum.

        Source: Obuchowski 1997; what a unit adds in several strata is split by its examples. A stratum of a single unit
        has no variance of its own. The variance of all values about their overall mean stands in for it: that includes
        the spread between strata, so it errs on the wide side. NaN for one unit.
        """
        if self.units < 2:
            return np.full(self.counts.size, math.nan)
        alone = (self.unit_counts < 2)[self.strata]
        owned = self._split(self.totals(values) ** 2, self.shares)
        if not alone.any():
            return owned
        lone = self.shares * alone
        borrowed = np.asarray(np.bincount(self.groups, weights=lone) ** 2 * values.var(ddof=1), dtype=np.float64)
        return np.asarray(owned + self._split(borrowed, lone))

    def _split(self, of_units: FloatArray, shares: FloatArray) -> FloatArray:
        """Split what each unit has between the strata of its shares."""
        whole = np.bincount(self.groups, weights=shares)
        each = np.divide(of_units, whole, out=np.zeros_like(whole), where=whole > 0.0)
        return np.bincount(self.strata, weights=shares * each[self.groups]).astype(np.float64)


def clusters(strata: IntArray, groups: IntArray, shares: FloatArray, *, grouped: bool) -> Clusters:
    """Make a side of these examples; no two share a number unless `grouped`."""
    counts = np.bincount(strata).astype(np.int64)
    sizes = Sizes.single(counts)
    units, across = strata.size, math.inf
    if grouped:
        sizes = Sizes.of(groups * counts.size + strata, counts)
        whole = np.bincount(groups, weights=shares)
        units = int(np.count_nonzero(whole))
        if units < sizes.units.sum():  # some have examples in several strata
            across = max(1.0, float(np.sum(whole**2) ** 2 / np.sum(whole**4)) - 1.0)
    # Placements of single examples lie between 0 and 1 and their variance is soon known; that of totals is not.
    sure = (sizes.units == counts) & (counts >= FEW_UNITS)
    return Clusters(
        strata=strata.astype(np.int64),
        groups=groups.astype(np.int64),
        shares=shares,
        counts=counts,
        unit_counts=sizes.units,
        effective=sizes.effective,
        shown=sizes.shown,
        degrees=np.where(sure, np.inf, sizes.degrees),
        across=across,
        units=units,
    )


@dataclass(frozen=True, slots=True)
class Sizes:
    """Hold what the sizes of a stratum's units do to its variance, by stratum.

    `units` is how many there are, `effective` how many equal ones would have a mean as sure (Kish), `shown` the share
    of the variance that deviations from the mean show on average, where u/(u-1) is right for equal sizes alone, and
    `degrees` the degrees of freedom: with shares w of the stratum, (sum w^2)^2 / sum w^4 - 1, u - 1 for equal sizes.
    Source: Bell & McCaffrey 2002, for units whose members are alike.
    """

    units: IntArray
    effective: FloatArray
    shown: FloatArray
    degrees: FloatArray

    @staticmethod
    def single(counts: IntArray) -> Sizes:
        """Describe strata in which every example is a unit."""
        return Sizes(counts, counts.astype(np.float64), np.ones(counts.size), np.maximum(1.0, counts - 1.0))

    @staticmethod
    def of(cells: IntArray, counts: IntArray) -> Sizes:
        """Describe strata of examples in `cells`, numbered by unit, then stratum."""
        names, sizes = counted(cells)
        strata = names % counts.size
        units = np.bincount(strata, minlength=counts.size).astype(np.int64)
        powers = ((sizes / counts[strata]) ** k for k in (2, 3, 4))
        return Sizes.of_moments(units, *(np.bincount(strata, weights=one).astype(np.float64) for one in powers))

    @staticmethod
    def of_moments(units: IntArray, second: FloatArray, third: FloatArray, fourth: FloatArray) -> Sizes:
        """Describe strata by what the powers of their units' shares add up to."""
        shown = np.ones(units.size)
        several = units > 1
        correction = units / np.maximum(1, units - 1)
        np.multiply(correction, 1.0 - 2.0 * third / second + second, out=shown, where=several)
        return Sizes(units, 1.0 / second, shown, np.maximum(1.0, second**2 / fourth - 1.0))
