"""Measure differences of bounded means to references.

Half widths of the sides add in quadrature, and none of them is ever zero. Also here: where a model sends examples,
compared with where references send them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from pytest_unlearn.core.evidence import Estimate, FloatArray, IntArray
from pytest_unlearn.statistics.auc.strata import Layout
from pytest_unlearn.statistics.measure import estimate
from pytest_unlearn.statistics.quantiles import (
    degrees_of_freedom,
    pooled_degrees,
    quantile,
    reference_variance,
    unseen_half_width,
)
from pytest_unlearn.statistics.validation import check_confidence, vector


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferenceMeasure:
    """Measure a difference to references, from the sides behind it.

    A side is (variance of what it adds to the value, how many independent units of one stratum would show as much).
    `missing` is what these variances lack where units are unequal or few, `degrees` the degrees of freedom of all.
    `covariance` is that of two sides that share units; it never outweighs their variances. `reference_variance` is that
    of the references' mean, over `references` of them. Sides and references are measured in units of 1/`scale` of the
    value. `sparse` data (0/1 outcomes that mostly agree) get Wilson's half width, which does not trust a variance
    estimated from a few disagreements.
    """

    value: float
    sides: tuple[tuple[float, float], ...]
    missing: float
    degrees: float
    reference_variance: float
    references: int
    sparse: bool
    method: str
    n_forget: int
    n_controls: int = 0
    lowest: float = -1.0
    highest: float = 1.0
    scale: float = 1.0
    covariance: float = 0.0

    def at(self, confidence: float) -> Estimate:
        """Bound it symmetrically (MOVER, Zou & Donner 2008), within its range."""
        check_confidence(confidence)
        low, high, method = self.lowest, self.highest, "undefined: a single unit"
        if min(units for _, units in self.sides) > 1:
            half, few = self._half_width(confidence)
            low, high = max(low, self.value - half), min(high, self.value + half)
            method = f"{self.method}, t" if few else self.method
        return estimate(self.value, low, high, confidence, method, self.n_forget, self.n_controls)

    def _half_width(self, confidence: float) -> tuple[float, bool]:
        data = max(0.0, sum(variance for variance, _ in self.sides) + self.missing + 2.0 * self.covariance)
        degrees = pooled_degrees([data, self.reference_variance], [self.degrees, max(1.0, self.references - 1.0)])
        q = quantile(confidence, min(degrees, self.degrees))
        squares = q * q * (self.missing + 2.0 * self.covariance)
        for variance, units in self.sides:
            spread, unseen = q * math.sqrt(variance), self._unseen(confidence, units)
            half = unseen / 2.0 + math.hypot(spread, unseen / 2.0) if self.sparse else max(spread, unseen)
            squares += half * half
        if self.covariance < 0.0:  # sides that cancel are no evidence on unseen units
            squares = max(squares, self._unseen(confidence, min(units for _, units in self.sides)) ** 2)
        return self.scale * math.sqrt(squares + q * q * self.reference_variance), self.degrees < math.inf

    @staticmethod
    def _unseen(confidence: float, units: float) -> float:
        return unseen_half_width(quantile(confidence, max(1.0, degrees_of_freedom(units))), units)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """Hold how much further answers are distributed than references' are.

    `differences` [n] are what each example adds, and their mean is the excess; `ours` is the model's own distance,
    `theirs` [K] each reference's from the others.
    """

    differences: FloatArray
    ours: float
    theirs: FloatArray


def among_references(
    differences: ArrayLike,
    reference_values: ArrayLike,
    *,
    further: bool,
    sparse: bool,
    method: str = "paired difference",
) -> DifferenceMeasure:
    """Measure how far a model is from references, by paired differences.

    Args:
        differences: [n], each example's difference to the references' mean, in [-1, 1].
        reference_values: [K], the same quantity of each reference, K of two or more: they are a sample as well.
        further: False for the mean of all models that could be retrained, of which K were; True for one more of them,
            which varies by itself: what lies beyond that bound no retrained model would reach.
        sparse: whether the values come of yes or no (Wilson's half width), rather than of continuous scores.
        method: what the estimate names.

    Returns:
        A measure of the mean difference in [-1, 1], 0 under perfect unlearning.

    Raises:
        ValueError: fewer than two references, or values that are not finite.

    Source: Student's prediction interval; MOVER, Zou & Donner 2008, for its parts.
    """
    values, references = vector("differences", differences), vector("reference_values", reference_values)
    if references.size < 2:
        raise ValueError(f"reference_values needs two references or more to vary, not {references.size}")
    variance = float(references.var(ddof=1)) * (1.0 / references.size + float(further))
    return paired_measure(values, variance, references.size, sparse=sparse, method=method)


def paired_measure(
    differences: FloatArray, variance: float, references: int, *, sparse: bool, method: str
) -> DifferenceMeasure:
    """Measure a mean of `differences` [n]; `variance` is the references'."""
    n = differences.size
    return DifferenceMeasure(
        value=float(differences.mean()),
        sides=((float(differences.var(ddof=1)) / n if n > 1 else math.nan, n),),
        missing=0.0,
        degrees=degrees_of_freedom(n),
        reference_variance=variance,
        references=references,
        sparse=sparse,
        method=method,
        n_forget=n,
    )


def two_sided_measure(
    value: float,
    design: Layout,
    extras: tuple[FloatArray, FloatArray],
    reference_values: FloatArray,
    *,
    scale: float,
    sparse: bool,
    method: str,
) -> DifferenceMeasure:
    """Measure `value`, clipped to [0, 1], with an error from each side's `extras`.

    A stratum of few units varies at least as much as strata do on average.
    """
    forget, controls = extras
    parts = design.forget.parts(forget), design.controls.parts(controls)
    floors = design.alike(parts)
    return DifferenceMeasure(
        value=min(1.0, max(0.0, value)),
        sides=((float(parts[0].sum()), design.worth[0]), (float(parts[1].sum()), design.worth[1])),
        missing=design.missing(parts, floors),
        degrees=design.degrees(parts, floors),
        covariance=design.covariance(forget, controls),
        reference_variance=reference_variance(reference_values),
        references=len(reference_values),
        lowest=0.0,
        scale=scale,
        sparse=sparse,
        method=method,
        n_forget=design.forget.size,
        n_controls=design.controls.size,
    )


def shift(ours: IntArray, theirs: IntArray, groups: IntArray) -> Shift:
    """Measure whether a model sends examples where references send them.

    Args:
        ours: [n], the class that the model predicts, from 0.
        theirs: [K, n], the same of each reference, K of two or more.
        groups: [n], the class of each example; distributions are compared within it.

    Returns:
        The excess of the model's total variation distance over the references' own: everyone is compared with the mean
        of K - 1 references, so that a retrained model's expected excess is exactly 0.

    Raises:
        ValueError: fewer than two references.
    """
    count = len(theirs)
    if count < 2:
        raise ValueError(f"theirs needs two references or more to be compared with each other, not {count}")
    columns = int(max(ours.max(), theirs.max())) + 1
    names, group = np.unique(groups, return_inverse=True)
    cells, size = group * columns, len(names) * columns
    mine, yours = cells + ours, cells + theirs
    excess, distances, own = np.zeros(len(ours)), np.zeros(count), 0.0
    for k in range(count):
        rest = np.delete(yours, k, axis=0)
        parts = [_parts(one, rest, size) for one in (mine, yours[k])]
        excess += (parts[0] - parts[1]) / count
        own += float(parts[0].mean()) / count
        distances[k] = parts[1].mean()
    return Shift(differences=excess, ours=own, theirs=distances)


def _parts(one: IntArray, rest: IntArray, size: int) -> FloatArray:
    """Split the total variation distance from the mean of the rest by example."""
    shares = np.bincount(one, minlength=size) - np.bincount(rest.ravel(), minlength=size) / len(rest)
    sign = np.sign(np.round(shares, 9))
    return np.asarray(0.5 * (sign[one] - sign[rest].mean(axis=0)))
