"""A model beside several references: means of paired differences, and where a model sends examples."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from pytest_unlearn.evidence import FloatArray, IntArray
from pytest_unlearn.statistics.difference import DifferenceMeasure
from pytest_unlearn.statistics.validation import vector


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """How much further a model's answers are distributed from the references' than theirs from each other's.

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
    """How far is a model from the mean of references, by paired differences on the same examples?

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
    n, count = values.size, references.size
    return DifferenceMeasure(
        value=float(values.mean()),
        sides=((float(values.var(ddof=1)) / n if n > 1 else math.nan, n),),
        reference_variance=float(references.var(ddof=1)) * (1.0 / count + float(further)),
        references=count,
        lowest=-1.0,
        highest=1.0,
        scale=1.0,
        sparse=sparse,
        method=method,
        n_forget=n,
        n_controls=0,
    )


def shift(ours: IntArray, theirs: IntArray, groups: IntArray) -> Shift:
    """Does a model send examples where references send them?

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
    """What each example adds to the total variation distance from the mean of the rest; their mean is the distance."""
    shares = np.bincount(one, minlength=size) - np.bincount(rest.ravel(), minlength=size) / len(rest)
    sign = np.sign(np.round(shares, 9))
    return np.asarray(0.5 * (sign[one] - sign[rest].mean(axis=0)))
