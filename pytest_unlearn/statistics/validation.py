"""Check the arguments of statistics, with errors that tell what to do."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from pytest_unlearn.core.evidence import FloatArray


def real_array(name: str, values: ArrayLike) -> FloatArray:
    """Make a float64 array of real numbers, of any shape."""
    try:
        array = np.asarray(values)
        if array.dtype.kind in "biuf":
            return array.astype(np.float64, copy=False)
        if array.dtype == object and array.size:
            return array.astype(np.float64)
    except (TypeError, ValueError, RuntimeError):
        pass
    raise ValueError(
        f"{name} must hold real numbers, as an array or a list, and is a {type(values).__name__} of others"
    )


def is_number(value: object) -> bool:
    """Tell whether this is one real number, which NaN and infinity are."""
    return hasattr(value, "__float__") and not isinstance(value, (bool, complex)) and not getattr(value, "shape", ())


def vector(name: str, values: ArrayLike) -> FloatArray:
    """Check a non-empty, finite, one-dimensional float64 array."""
    array = real_array(name, values)
    if array.ndim != 1:
        raise ValueError(f"{name} must have one dimension, one value per example, but has shape {array.shape}")
    return _checked(name, array)


def matrix(name: str, values: ArrayLike, columns: int) -> FloatArray:
    """Check a finite float64 array of shape (references, `columns`)."""
    array = real_array(name, values)
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
    if not is_number(confidence) or not 0.5 < confidence < 1.0:
        raise ValueError(f"confidence must lie strictly between 0.5 and 1, such as 0.95, not {confidence!r}")
    return float(confidence)


def check_open_unit(name: str, value: float) -> float:
    """Check that `value` lies inside (0, 1)."""
    if not is_number(value) or not 0.0 < value < 1.0:
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
