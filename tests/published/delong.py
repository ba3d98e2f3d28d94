"""DeLong's covariance of AUCs from placements, against which the measures are held."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pytest_unlearn.core.evidence import FloatArray
from pytest_unlearn.statistics import placements
from pytest_unlearn.statistics.validation import matrix, vector


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
