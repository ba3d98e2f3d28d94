"""Turn a map-style dataset of (x, y) into two arrays, once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_unlearn.data.dataset import to_numpy
from pytest_unlearn.data.tables import is_table, plain_numbers, row_count

EMPTY = "the dataset is empty: there is nothing to train on"


def rows(dataset: Any) -> tuple[Any, NDArray[np.int64]]:
    """Return a dataset as an estimator takes it: tables as they are, others as rows.

    Args:
        dataset: as in `stack`.

    Returns:
        X: a frame, a sparse matrix, texts or an array of shape (examples, features); and y as int64.

    Raises:
        ValueError: as in `stack`.
    """
    X, y = dataset.arrays() if callable(getattr(dataset, "arrays", None)) else (None, None)
    if not is_table(X):
        X, y = stack(dataset)
        X = X.reshape(len(X), -1)
    elif row_count(X) == 0:
        raise ValueError(EMPTY)
    return X, np.asarray(y, dtype=np.int64)


def stack(dataset: Any) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Stack a dataset to `(X, y)`: x along the first axis, and integer labels.

    Args:
        dataset: map-style, `len(dataset)` examples `(x, y)`; one with an `arrays()` method is asked for both at once.

    Returns:
        X with the dtype of the examples, and y as int64.

    Raises:
        ValueError: the dataset is empty, its examples differ in shape, or a label is not a whole number.
    """
    if callable(getattr(dataset, "arrays", None)):
        X, labels = dataset.arrays()
        X, y = plain_numbers(X, "this recipe") if is_table(X) else to_numpy(X), to_numpy(labels)
    else:
        stacked: list[NDArray[Any]] = []
        labels = []
        for index in range(len(dataset)):
            x, label = dataset[index]
            row = to_numpy(x)
            if stacked and row.shape != stacked[0].shape:
                raise ValueError(
                    f"example {index} has shape {row.shape}, the first one {stacked[0].shape}: "
                    "give every example the same shape, for instance by padding or resizing in the dataset"
                )
            stacked.append(row)
            labels.append(to_numpy(label).item())
        X, y = (np.stack(stacked) if stacked else np.empty(0)), np.asarray(labels)
    if len(X) == 0:
        raise ValueError(EMPTY)
    if len(X) != len(y):
        raise ValueError(f"the dataset has {len(X)} examples and {len(y)} labels: give each example one label")
    if y.ndim != 1:
        raise ValueError(f"labels have shape {y.shape}: give each example one whole number, its class")
    whole = y.astype(np.int64)
    if not np.array_equal(whole, y):
        raise ValueError("labels must be whole numbers: give each example the number of its class")
    return X, whole


def tensor_bytes(tensor: Any) -> bytes:
    """Return the raw bytes of a strided tensor, of any dtype and on any device."""
    import torch

    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""
