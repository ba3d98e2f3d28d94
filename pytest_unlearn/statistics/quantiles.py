"""Quantiles and half widths shared by the measures; none of them is ever zero."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from pytest_unlearn.core.evidence import FloatArray
from pytest_unlearn.statistics.validation import check_confidence

FEW_UNITS = 20  # below this many units the normal interval undercovers and Student's t is used


def normal_quantile(confidence: float) -> float:
    """The standard normal quantile of a one-sided bound at `confidence` in (0.5, 1)."""
    return -float(special.ndtri(1.0 - check_confidence(confidence)))


def quantile(confidence: float, degrees: float = math.inf) -> float:
    """Student's t quantile of a one-sided bound at `confidence`; the normal one for infinite `degrees`."""
    if degrees > 1e6:
        return normal_quantile(confidence)
    return -float(special.stdtrit(degrees, 1.0 - check_confidence(confidence)))


def degrees_of_freedom(units: int) -> float:
    """`units` - 1 when there are few of them, else infinity."""
    return units - 1.0 if units < FEW_UNITS else math.inf


def pooled_degrees(*parts: tuple[float, float]) -> float:
    """The degrees of freedom of a sum of (variance, degrees) parts; infinite without any (Satterthwaite 1946)."""
    total = sum(variance for variance, _ in parts)
    uncertain = sum((variance / total) ** 2 / degrees for variance, degrees in parts if variance > 0.0)
    return 1.0 / uncertain if uncertain > 0.0 else math.inf


def unseen_half_width(z: float, units: int) -> float:
    """z^2/(n+z^2): the score bound on what `units` examples without a single event may have missed."""
    return z * z / (units + z * z)


def reference_variance(values: FloatArray) -> float:
    """The variance of the mean of `values` [K] over references: s^2/K, 0 for a single reference."""
    return float(np.var(values, ddof=1)) / values.size if values.size > 1 else 0.0
