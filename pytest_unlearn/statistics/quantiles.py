"""Compute the quantiles and half widths of the measures; none is ever zero."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from pytest_unlearn.core.evidence import FloatArray
from pytest_unlearn.statistics.validation import check_confidence

FEW_UNITS = 20  # below this many units the normal interval undercovers and Student's t is used


def normal_quantile(confidence: float) -> float:
    """Return the standard normal quantile of a one-sided bound."""
    return -float(special.ndtri(1.0 - check_confidence(confidence)))


def quantile(confidence: float, degrees: float = math.inf) -> float:
    """Return Student's t quantile of a one-sided bound; normal for infinite degrees."""
    if degrees > 1e6:
        return normal_quantile(confidence)
    return -float(special.stdtrit(degrees, 1.0 - check_confidence(confidence)))


def quantiles(confidence: float, degrees: FloatArray) -> FloatArray:
    """Return `quantile` at each of `degrees`, of any shape."""
    many = degrees > 1e6
    few = -special.stdtrit(np.where(many, 1.0, degrees), 1.0 - check_confidence(confidence))
    return np.where(many, normal_quantile(confidence), few)


def degrees_of_freedom(units: float) -> float:
    """Return `units` - 1 when there are few of them, else infinity."""
    return units - 1.0 if units < FEW_UNITS else math.inf


def pooled_degrees(variances: ArrayLike, degrees: ArrayLike) -> float:
    """Pool the degrees of the parts of a variance (Satterthwaite 1946)."""
    parts, each = np.asarray(variances, dtype=np.float64), np.asarray(degrees, dtype=np.float64)
    total = float(parts.sum())
    uncertain = float(np.sum((parts[parts > 0.0] / total) ** 2 / each[parts > 0.0]))
    return 1.0 / uncertain if uncertain > 0.0 else math.inf


def unseen_half_width(z: float, units: float) -> float:
    """Return z^2/(n+z^2): what `units` examples without an event may have missed."""
    return z * z / (units + z * z)


def reference_variance(values: FloatArray) -> float:
    """Return the variance of the mean of `values` [K]: s^2/K, 0 for one."""
    return float(np.var(values, ddof=1)) / values.size if values.size > 1 else 0.0
