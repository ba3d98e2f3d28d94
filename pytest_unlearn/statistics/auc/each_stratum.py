"""Measure every stratum by itself, all at once.

One sort, one layout, and sums by stratum: what `auc_measure` and `auc_difference` say of the examples of one stratum,
for a thousand strata in little more time than for all of them together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from pytest_unlearn.core.evidence import FloatArray, IntArray
from pytest_unlearn.statistics.auc.auc import NOTHING, AucMeasure
from pytest_unlearn.statistics.auc.ordering import numbered
from pytest_unlearn.statistics.auc.placements import stratified_placements
from pytest_unlearn.statistics.auc.power import binormal_spread
from pytest_unlearn.statistics.auc.strata import FEW_DEGREES, Clusters, Layout, Sides, layout
from pytest_unlearn.statistics.measure import MeasuresTogether
from pytest_unlearn.statistics.quantiles import FEW_UNITS, quantiles
from pytest_unlearn.statistics.references.difference import DifferenceMeasure
from pytest_unlearn.statistics.validation import check_confidence, matrix, vector

_Pair = tuple[FloatArray, FloatArray]


@dataclass(frozen=True, slots=True, kw_only=True)
class AucMeasures(MeasuresTogether):
    """Hold what `AucMeasure` does, an array [strata] in place of each number."""

    value: FloatArray
    forget_variance: FloatArray
    control_variance: FloatArray
    n_forget: IntArray
    n_controls: IntArray
    units: IntArray
    control_units: IntArray
    pairs: FloatArray
    null_error: FloatArray
    missing: FloatArray
    degrees: FloatArray
    covariance: FloatArray

    @property
    def values(self) -> FloatArray:
        """The AUC of each."""
        return self.value

    def __getitem__(self, number: Any) -> AucMeasure:
        one: dict[str, Any] = {field.name: getattr(self, field.name)[number].item() for field in fields(self)}
        return AucMeasure(**one, worth=(float(one["units"]), float(one["control_units"])))

    def bounds(self, confidence: float) -> _Pair:
        """Bound each as `AucMeasure.at` does."""
        alpha = 1.0 - check_confidence(confidence)
        inside = (self.value > 0.0) & (self.value < 1.0)
        value = np.where(inside, self.value, 0.5)
        variance = np.maximum(0.0, self.forget_variance + self.control_variance + 2.0 * self.covariance)
        half = quantiles(confidence, self.degrees) * np.sqrt(variance + self.missing) / (value * (1.0 - value))
        low, high = (special.expit(special.logit(value) + sign * half) for sign in (-1.0, 1.0))
        tied = self.forget_variance <= NOTHING, self.control_variance <= NOTHING
        some = tied[0] | tied[1]
        seen = alpha ** (1.0 / np.where(tied[0], self.units, self.control_units))
        low, high = np.where(some, low * seen, low), np.where(some, 1.0 - (1.0 - high) * seen, high)
        cancel = ~some & (self.covariance < 0.0)
        seen = alpha ** (1.0 / np.minimum(self.units, self.control_units))
        low = np.where(cancel, np.minimum(low, value * seen), low)
        high = np.where(cancel, np.maximum(high, 1.0 - (1.0 - value) * seen), high)
        exact = alpha ** (1.0 / self.pairs)
        single = np.minimum(self.units, self.control_units) < 2
        cases = [single, self.value == 1.0, self.value == 0.0, tied[0] & tied[1]]
        return np.select(cases, [0.0, exact, 0.0, 0.0], low), np.select(cases, [1.0, 1.0, 1.0 - exact, 1.0], high)


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferenceMeasures(MeasuresTogether):
    """Hold what `DifferenceMeasure` does of AUCs, an array [strata] each.

    `variances` are those of the two sides, `units` how many independent units each has.
    """

    value: FloatArray
    variances: Sides
    units: tuple[IntArray, IntArray]
    missing: FloatArray
    degrees: FloatArray
    reference_variance: FloatArray
    references: int
    n_forget: IntArray
    n_controls: IntArray
    covariance: FloatArray

    @property
    def values(self) -> FloatArray:
        """The difference of each, as an AUC."""
        return self.value

    def __getitem__(self, number: Any) -> DifferenceMeasure:
        first, second = (
            (float(variance[number]), float(units[number]))
            for variance, units in zip(self.variances, self.units, strict=True)
        )
        names = ("value", "missing", "degrees", "reference_variance", "n_forget", "n_controls", "covariance")
        return DifferenceMeasure(
            sides=(first, second),
            references=self.references,
            sparse=False,
            method="paired DeLong",
            lowest=0.0,
            **{name: getattr(self, name)[number].item() for name in names},
        )

    def bounds(self, confidence: float) -> _Pair:
        """Bound each as `DifferenceMeasure.at` does."""
        check_confidence(confidence)
        rest = self.missing + 2.0 * self.covariance
        data = np.maximum(0.0, self.variances[0] + self.variances[1] + rest)
        others = np.full_like(data, max(1.0, self.references - 1.0))
        pooled = _pooled((data, self.reference_variance), (self.degrees, others))
        q = quantiles(confidence, np.minimum(pooled, self.degrees))
        unseen = [_unseen(confidence, units) for units in self.units]
        squares = q * q * rest
        for variance, least in zip(self.variances, unseen, strict=True):
            squares = squares + np.maximum(q * np.sqrt(variance), least) ** 2
        squares = np.where(self.covariance < 0.0, np.maximum(squares, np.maximum(*unseen) ** 2), squares)
        half = np.sqrt(squares + q * q * self.reference_variance)
        single = np.minimum(*self.units) < 2
        low, high = np.maximum(0.0, self.value - half), np.minimum(1.0, self.value + half)
        return np.where(single, 0.0, low), np.where(single, 1.0, high)


def aucs_by_stratum(
    forget: ArrayLike,
    controls: ArrayLike,
    *,
    forget_strata: ArrayLike,
    control_strata: ArrayLike,
    forget_groups: ArrayLike | None = None,
    control_groups: ArrayLike | None = None,
) -> AucMeasures:
    """Measure how well scores separate the forget examples of each stratum.

    Arguments, errors and sources as in `auc_measure`. Returns what it returns of the examples of each stratum that has
    forget examples, in order of their labels; 1/2 each under perfect unlearning.
    """
    forget, controls = vector("forget", forget), vector("controls", controls)
    apart = _Apart.of(layout(forget.size, controls.size, forget_strata, control_strata, forget_groups, control_groups))
    placed = stratified_placements(forget, controls[apart.design.kept], apart.design)
    value = apart.auc(placed)
    ratio, parts = 12.0 * binormal_spread(value), apart.parts(placed)
    null = apart.null_parts
    floors = (np.maximum(ratio * null[0], parts[0]), np.maximum(ratio * null[1], parts[1]))
    ours, theirs = apart.sides
    return AucMeasures(
        value=value,
        forget_variance=parts[0],
        control_variance=parts[1],
        n_forget=ours.counts,
        n_controls=theirs.counts,
        units=ours.unit_counts,
        control_units=theirs.unit_counts,
        pairs=apart.pairs,
        null_error=np.sqrt(null[0] + null[1]),
        missing=apart.missing(parts, floors),
        degrees=apart.degrees(parts, floors),
        covariance=apart.covariance(placed),
    )


def auc_differences_by_stratum(
    forget: ArrayLike,
    controls: ArrayLike,
    reference_forget: ArrayLike,
    reference_controls: ArrayLike,
    *,
    forget_strata: ArrayLike,
    control_strata: ArrayLike,
    forget_groups: ArrayLike | None = None,
    control_groups: ArrayLike | None = None,
) -> DifferenceMeasures:
    """Measure how much better scores separate each stratum than on references.

    Arguments, errors and sources as in `auc_difference`. Returns what it returns of the examples of each stratum that
    has forget examples, in order of their labels; 1/2 each under perfect unlearning.
    """
    forget, controls = vector("forget", forget), vector("controls", controls)
    rows = (
        matrix("reference_forget", reference_forget, forget.size),
        matrix("reference_controls", reference_controls, controls.size),
    )
    if len(rows[0]) != len(rows[1]):
        raise ValueError(
            f"{len(rows[0])} references score forget but {len(rows[1])} score controls; pass the same ones"
        )
    design = layout(forget.size, controls.size, forget_strata, control_strata, forget_groups, control_groups)
    apart, count = _Apart.of(design), len(rows[0])
    placed = stratified_placements(forget, controls[design.kept], design)
    usual = [stratified_placements(f, c[design.kept], design) for f, c in zip(*rows, strict=True)]
    aucs = np.array([apart.auc(one) for one in usual])
    extras = (placed[0] - np.mean([one[0] for one in usual], axis=0), placed[1] - np.mean([one[1] for one in usual], 0))
    parts = apart.parts(extras)
    ours, theirs = apart.sides
    return DifferenceMeasures(
        value=np.clip(0.5 + (apart.auc(placed) - aucs.mean(axis=0)), 0.0, 1.0),
        variances=parts,
        units=(ours.unit_counts, theirs.unit_counts),
        missing=apart.missing(parts, parts),
        degrees=apart.degrees(parts, parts),
        reference_variance=aucs.var(axis=0, ddof=1) / count if count > 1 else np.zeros(ours.counts.size),
        references=count,
        n_forget=ours.counts,
        n_controls=theirs.counts,
        covariance=apart.covariance(extras),
    )


@dataclass(frozen=True, slots=True)
class _Apart:
    """Know what the units of each stratum do to its own AUC.

    A unit that has examples in several strata is another one in each. `cells` number them, of both sides in one
    numbering, and `strata` says where each cell lies; None where every example is a unit.
    """

    design: Layout
    cells: tuple[IntArray, IntArray] | None
    strata: IntArray
    units: IntArray

    @staticmethod
    def of(design: Layout) -> _Apart:
        sides = design.forget, design.controls
        alone = design.forget.unit_counts + design.controls.unit_counts
        if all(side.units == side.size for side in sides) and design.apart:
            return _Apart(design, None, np.arange(0), alone)
        count = design.weights.size
        names, numbers = numbered(np.concatenate([side.groups * count + side.strata for side in sides]))
        strata = names % count
        cells = numbers[: design.forget.size], numbers[design.forget.size :]
        return _Apart(design, cells, strata, np.bincount(strata, minlength=count))

    @property
    def sides(self) -> tuple[Clusters, Clusters]:
        return self.design.forget, self.design.controls

    @property
    def shared(self) -> NDArray[np.bool_]:
        """Where a unit has examples on both sides."""
        ours, theirs = self.sides
        return self.units < ours.unit_counts + theirs.unit_counts

    @property
    def pairs(self) -> FloatArray:
        ours, theirs = self.sides
        fewest = np.minimum(np.minimum(ours.unit_counts, theirs.unit_counts), self.units // 2)
        return np.maximum(1.0, fewest)

    @property
    def null_parts(self) -> Sides:
        m, n = (side.effective for side in self.sides)
        return (1.0 / m + 0.5 / (m * n)) / 12.0, (1.0 / n + 0.5 / (m * n)) / 12.0

    def auc(self, placed: _Pair) -> FloatArray:
        """Average placements; of whole numbers of halves, so that a perfect AUC is exactly 1."""
        ours, theirs = self.sides
        halves = np.rint(2.0 * placed[0] * theirs.counts[ours.strata])
        return np.bincount(ours.strata, weights=halves) / (2.0 * ours.counts * theirs.counts)

    def parts(self, placed: _Pair) -> Sides:
        """Return each side's variance; NaN where it is a single unit."""
        found = []
        for number, (side, values) in enumerate(zip(self.sides, placed, strict=True)):
            errors, strata = self._errors(side, values), side.strata
            if self.cells is not None:
                errors, strata = self._by_cell(number, values), self.strata
            total = np.bincount(strata, weights=errors * errors, minlength=side.counts.size)
            found.append(np.where(side.unit_counts > 1, total, math.nan))
        return found[0], found[1]

    def covariance(self, placed: _Pair) -> FloatArray:
        ours, theirs = self.sides
        if self.cells is None:
            return np.zeros(ours.counts.size)
        first, second = (self._by_cell(number, values) for number, values in enumerate(placed))
        both = np.bincount(self.strata, weights=first * second, minlength=ours.counts.size)
        able = self.shared & (ours.unit_counts > 1) & (theirs.unit_counts > 1)
        counts = [np.where(able, units, 2) for units in (ours.unit_counts, theirs.unit_counts, self.units)]
        apart = np.sqrt(_correction(counts[0]) * _correction(counts[1]))
        return np.where(able, both * _correction(counts[2]) / apart, 0.0)

    def missing(self, parts: Sides, floors: Sides) -> FloatArray:
        """Return what variances lack for unequal units, and of floors for few."""
        uncertain = self.degrees(parts, floors) < FEW_DEGREES
        lacking = np.zeros(parts[0].size)
        for side, part, floor in zip(self.sides, parts, floors, strict=True):
            whole = part / side.shown
            few = uncertain & (side.unit_counts < FEW_UNITS)
            lacking += whole - part + np.where(few, np.maximum(0.0, floor - whole), 0.0)
        return lacking

    def degrees(self, parts: Sides, floors: Sides) -> FloatArray:
        """Pool the degrees of freedom of the two sides of each stratum."""
        raised, degrees = [], []
        for side, part, floor in zip(self.sides, parts, floors, strict=True):
            raised.append(np.where(side.unit_counts < FEW_UNITS, np.maximum(part, floor), part))
            degrees.append(np.where(raised[-1] > 0.0, side.degrees, np.inf))
        pooled = _pooled((raised[0], raised[1]), (degrees[0], degrees[1]))
        return np.where(self.shared, np.minimum(*degrees), pooled)

    def _by_cell(self, number: int, values: FloatArray) -> FloatArray:
        cells = () if self.cells is None else self.cells[number]
        errors = self._errors(self.sides[number], values)
        return np.bincount(cells, weights=errors, minlength=self.strata.size).astype(np.float64)

    def _errors(self, side: Clusters, values: FloatArray) -> FloatArray:
        """Return what each example adds to the error of its stratum's mean."""
        several = np.maximum(side.unit_counts, 2)
        scale = np.sqrt(_correction(several)) / side.counts
        means = np.bincount(side.strata, weights=values) / side.counts
        return scale[side.strata] * (values - means[side.strata])


def _pooled(variances: Sides, degrees: Sides) -> FloatArray:
    """Pool as `pooled_degrees` does, two parts a stratum."""
    total = variances[0] + variances[1]
    whole = np.where(total > 0.0, total, 1.0)
    uncertain = (variances[0] / whole) ** 2 / degrees[0] + (variances[1] / whole) ** 2 / degrees[1]
    return np.asarray(np.divide(1.0, uncertain, out=np.full_like(total, np.inf), where=uncertain > 0.0))


def _unseen(confidence: float, units: IntArray) -> FloatArray:
    few = np.where(units < FEW_UNITS, np.maximum(1.0, units - 1.0), np.inf)
    squares = quantiles(confidence, few) ** 2
    return np.asarray(squares / (units + squares))


def _correction(units: IntArray) -> FloatArray:
    return units / (units - 1.0)
