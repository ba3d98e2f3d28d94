"""Read which training examples a request names: indices, mask, subset of train."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from pytest_unlearn.core.evidence import IntArray
from pytest_unlearn.core.text import some
from pytest_unlearn.data.dataset import Examples, to_numpy

BY_INDEX = (
    "forget names examples by their positions in train: pass integer indices into train or a boolean mask over it"
)


def forget_indices(forget: Any, train: Examples) -> IntArray:
    """Return the positions in train that a request names, in its order.

    Args:
        forget: whole numbers, a boolean mask over train, or a `Subset` of what was handed over as train.
        train: the training examples.

    Raises:
        ValueError: it is none of these, empty, repeats an example or names one that train has not.
    """
    n = len(train)
    raw = _subset(forget, train) if hasattr(forget, "dataset") else _listed(forget)
    if raw.dtype == bool:
        if raw.shape != (n,):
            raise ValueError(
                f"a forget mask needs one value for each of the {n} training examples; got shape {raw.shape}."
            )
        raw = np.flatnonzero(raw)
    if raw.size == 0:
        raise ValueError("forget is empty: there is no request to audit.")
    if raw.dtype.kind in "UST":
        raise ValueError(
            f"{BY_INDEX}; got text ({some(map(repr, raw.reshape(-1)[:2].tolist()))}). Where ids[i] is the id of "
            "train[i], np.isin(ids, these) is the mask."
        )
    if raw.ndim != 1 or raw.dtype.kind not in "iu":
        raise ValueError(f"{BY_INDEX}; got {raw.dtype}, shape {raw.shape}.")
    if len(raw) == n > 2 and np.isin(raw, (0, 1)).all():
        raise ValueError("forget holds a 0 or 1 for each training example: make a mask of it with .astype(bool).")
    outside = raw[(raw < 0) | (raw >= n)]
    if len(outside):
        raise ValueError(f"forget indices {some(outside.tolist())} are outside train, which has {n} examples.")
    values, counts = np.unique(raw, return_counts=True)
    if (counts > 1).any():
        raise ValueError(f"forget repeats indices {some(values[counts > 1].tolist())}: name each example once.")
    return np.asarray(raw, dtype=np.int64)


def _listed(forget: Any) -> Any:
    if forget is None or isinstance(forget, (str, bytes, Mapping, int, float)):
        raise ValueError(f"{BY_INDEX}, not {forget!r}.")
    if isinstance(forget, tuple) and len(forget) == 1:
        raise ValueError(f"{BY_INDEX}, not a tuple of one array: what np.where returns holds them, so take its [0].")
    themselves = ValueError(f"{BY_INDEX}, not the examples themselves (a {type(forget).__name__}).")
    if not isinstance(forget, Iterable):
        raise themselves
    if hasattr(forget, "shape"):
        return to_numpy(forget)
    items = list(forget)
    if items and (isinstance(items[0], (tuple, Mapping)) or getattr(items[0], "shape", None)):
        raise themselves
    try:
        return np.asarray(items)
    except ValueError:
        raise themselves from None


def _subset(forget: Any, train: Examples) -> Any:
    """Return the positions in train of a `Subset` of it, or of the data that train is a subset of."""
    places = getattr(forget, "indices", None)
    if places is None:
        raise ValueError(f"{BY_INDEX}, not the examples themselves (a {type(forget).__name__}).")
    found = np.asarray(to_numpy(places) if hasattr(places, "shape") else list(places))
    if forget.dataset is train.source:
        return found
    base = getattr(train.source, "dataset", None)
    if base is None or forget.dataset is not base:
        raise ValueError(
            "forget is a Subset of another dataset than train: make it of the very object that is handed over as "
            "train, or pass the positions in train."
        )
    where = {int(place): position for position, place in enumerate(train.source.indices)}
    missing = [int(place) for place in found if int(place) not in where]
    if missing:
        raise ValueError(f"forget holds examples {some(missing)} of the data behind train, which train has not.")
    return np.array([where[int(place)] for place in found], dtype=np.int64)
