"""Check the arguments of statistics, with errors that tell what to do."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from pytest_unlearn.core.evidence import FloatArray


def vector(name: str, values: ArrayLike) -> FloatArray:
    """Check a non-empty, finite, one-dimensional float64 array."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"{name} must have one dimension, one value per example, but has shape {array.shape}")
    return _checked(name, array)


def matrix(name: str, values: ArrayLike, columns: int) -> FloatArray:
    """Check a finite float64 array of shape (references, `columns`)."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2:
        raise ValueError(f"{name} must have shape (references, {columns}) but has shape {array.shape}; stack the rows")
    if array.shape[1] != columns:
        raise ValueError(
            f"{name} has {array.shape[1]} examples a row where the model has {columns}; pass the same ones"
        )
    return _checked(name, array)


def binary(name: str, values: FloatArray) -> FloatArray:
    """Check that each value is 0 or 1 (or a bool)."""
    if not np.all((values == 0.0) | (values == 1.0)):
        raise ValueError(f"{name} must hold 0 (wrong) or 1 (right) for each example; pass `prediction == label`")
    return values


def check_confidence(confidence: float) -> float:
    """Check that `confidence` lies inside (0.5, 1)."""
    if not 0.5 < confidence < 1.0:
        raise ValueError(f"confidence must lie strictly between 0.5 and 1, such as 0.95, not {confidence!r}")
    return float(confidence)


def check_open_unit(name: str, value: float) -> float:
    """Check that `value` lies inside (0, 1)."""
    if not 0.0 < value < 1.0:
        raise ValueError(f"{name} must lie strictly between 0 and 1, not {value!r}")
    return float(value)


def check_count(name: str, value: float, *, at_least: int = 1) -> float:
    """Check that `value` is at least `at_least`, infinity included."""
    if math.isnan(value) or value < at_least:
        raise ValueError(f"{name} must be at least {at_least}, not {value!r}")
    return float(value)


def _checked(name: str, array: FloatArray) -> FloatArray:
    if array.size == 0:
        raise ValueError(f"{name} is empty; at least one example is needed")
    bad = array.size - int(np.count_nonzero(np.isfinite(array)))
    if bad:
        raise ValueError(f"{name} holds {bad} values that are not finite; replace them (clip the scores) first")
    return array
