"""Placements: the share of the other side that each example beats. Everything about an AUC follows from them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pytest_unlearn.evidence import FloatArray, IntArray
from pytest_unlearn.statistics.standings import standings
from pytest_unlearn.statistics.strata import Layout
from pytest_unlearn.statistics.validation import matrix, vector


def placements(forget: ArrayLike, controls: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """What share of the other side does each example beat, ties counting one half?

    `forget` [m] and `controls` [n] are finite scores, higher meaning more member-like. Returns V10 [m], the share of
    controls below each forget example, and V01 [n], the share of forget examples above each control; the mean of
    either is the AUC, and all are 1/2 in expectation under perfect unlearning. O((m+n) log(m+n)). Raises ValueError for
    empty or non-finite scores. Source: DeLong 1988; Sun & Xu 2014.
    """
    return _placements(vector("forget", forget), vector("controls", controls))


def stratified_placements(forget: FloatArray, controls: FloatArray, design: Layout) -> tuple[FloatArray, FloatArray]:
    """Placements among the examples of the same stratum; `controls` holds the kept ones only."""
    if design.forget.counts.size == 1:
        return _placements(forget, controls)
    ours, theirs = design.forget, design.controls
    v10, v01 = _beaten(forget, controls, np.concatenate([ours.strata, theirs.strata]))
    return v10 / theirs.counts[ours.strata], 1.0 - v01 / ours.counts[theirs.strata]


def _placements(forget: FloatArray, controls: FloatArray) -> tuple[FloatArray, FloatArray]:
    v10, v01 = _beaten(forget, controls, None)
    return v10 / controls.size, 1.0 - v01 / forget.size


def _beaten(forget: FloatArray, controls: FloatArray, strata: IntArray | None) -> tuple[FloatArray, FloatArray]:
    """How many of the other side each example outscores."""
    table = standings(np.concatenate([forget, controls]), strata)
    is_control = np.arange(forget.size + controls.size) >= forget.size
    return table.beaten(is_control)[: forget.size], table.beaten(~is_control)[forget.size :]


def auc(forget: ArrayLike, controls: ArrayLike) -> float:
    """How often does a forget example score above a control, ties counting one half?

    `forget` [m], `controls` [n]; returns a number in [0, 1], 1/2 under perfect unlearning. Raises ValueError for empty
    or non-finite scores. Source: Mann & Whitney 1947.
    """
    return float(placements(forget, controls)[0].mean())


def delong_variance(forget: ArrayLike, controls: ArrayLike) -> float:
    """How uncertain is the AUC of `forget` [m] against `controls` [n]?

    Returns S10/m + S01/n (ddof 1). Raises ValueError when a side has fewer than two examples. Source: DeLong 1988.
    """
    return float(delong_covariance([vector("forget", forget)], [vector("controls", controls)])[0, 0])


def delong_covariance(forget: ArrayLike, controls: ArrayLike) -> FloatArray:
    """How do the AUCs of k scores on the same examples vary together?

    `forget` [k, m] and `controls` [k, n]; returns the [k, k] covariance matrix. Raises ValueError for shapes that
    differ in k or for fewer than two examples on a side. Source: DeLong 1988; Sun & Xu 2014.
    """
    ours, theirs = np.atleast_2d(np.asarray(forget)), np.atleast_2d(np.asarray(controls))
    if ours.shape[0] != theirs.shape[0]:
        raise ValueError(f"forget holds {ours.shape[0]} scores and controls {theirs.shape[0]}; pass the same scores")
    ours, theirs = matrix("forget", ours, ours.shape[1]), matrix("controls", theirs, theirs.shape[1])
    m, n = ours.shape[1], theirs.shape[1]
    if min(m, n) < 2:
        raise ValueError(f"a variance needs two examples on each side, not {m} forget and {n} controls")
    pairs = [placements(f, c) for f, c in zip(ours, theirs, strict=True)]
    first, second = np.stack([v10 for v10, _ in pairs]), np.stack([v01 for _, v01 in pairs])
    first, second = first - first.mean(axis=1, keepdims=True), second - second.mean(axis=1, keepdims=True)
    covariance: FloatArray = first @ first.T / ((m - 1) * m) + second @ second.T / ((n - 1) * n)
    return covariance
