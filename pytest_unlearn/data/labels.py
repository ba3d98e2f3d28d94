"""Read class labels as one whole number an example, or say what they are."""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_unlearn.core.evidence import IntArray

MOST_FLOAT_CLASSES = 50  # whole floats of more values, each seldom, are measurements and not classes
CLASSES_ALONE = "audits judge classifiers"


def whole_labels(raw: Any, name: str) -> IntArray:
    """Return labels as int64, shape (examples,).

    Args:
        raw: whole numbers of any type, shape (examples,) or (examples, 1), or one-hot rows, shape (examples, classes).
        name: whose labels they are, for the sentence.

    Raises:
        ValueError: none of these: targets of a regression, of several labels an example, or of a segmentation.
    """
    try:
        labels = np.asarray(raw)
        labels = np.array(labels.tolist()) if labels.dtype == object else labels
    except ValueError:
        labels = np.empty(0, dtype=object)
    if labels.ndim > 2 or (labels.dtype == object and np.ndim(_first(raw)) > 0):
        _refuse(
            name,
            f"{CLASSES_ALONE} with one label an example, and these have shape {np.shape(_first(raw))} each "
            "(segmentation masks, boxes, sequences): audit a model that answers one class an example",
        )
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.dtype.kind not in "iubf" or labels.ndim == 0:
        _refuse(name, f"got {labels.dtype} of shape {labels.shape}. Encode class names as integers first")
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        broken = np.flatnonzero(~np.isfinite(labels.reshape(len(labels), -1)).all(axis=1))
        _refuse(
            name,
            f"{len(broken)} are missing (NaN or infinity), the first at position {broken[0]}: leave these examples out",
        )
    return _from_rows(labels, name) if labels.ndim == 2 else _whole(labels, name)


def check_varied(labels: IntArray, name: str) -> None:
    """Refuse labels that number the examples, where items have more than two parts.

    Raises:
        ValueError: each example has a label of its own.
    """
    if len(labels) >= 10 and len(np.unique(labels)) == len(labels):
        raise ValueError(
            f"the second part of every item of {name} is another number, so it is an index and not the label: make "
            "items (x, y, ...)."
        )


def _from_rows(rows: Any, name: str) -> IntArray:
    if not np.isin(rows, (0, 1)).all():
        soft = (rows >= 0).all() and np.allclose(rows.sum(axis=1), 1, atol=0.01)
        what = (
            "these are shares of several classes (soft labels): take the most likely with .argmax(axis=1)"
            if soft
            else f"{CLASSES_ALONE}, and these are {rows.shape[1]} measurements each (a regression)"
        )
        _refuse(name, what)
    several = np.flatnonzero(rows.sum(axis=1) != 1)
    if len(several):
        _refuse(
            name,
            f"example {several[0]} has {int(rows[several[0]].sum())} of {rows.shape[1]} (multi-label): audit one label "
            "at a time, with (X, y[:, k]) and a model that answers it alone",
        )
    return np.asarray(rows.argmax(axis=1), dtype=np.int64)


def _whole(labels: Any, name: str) -> IntArray:
    if labels.dtype.kind == "f":
        values = len(np.unique(labels))
        if (labels != np.round(labels)).any() or values > max(MOST_FLOAT_CLASSES, len(labels) // 10):
            _refuse(
                name,
                f"{CLASSES_ALONE}, and {labels.dtype} of {values} values are measurements (a regression): make classes "
                "of them, as in np.digitize(y, edges), and audit a classifier",
            )
    return np.asarray(labels, dtype=np.int64)


def _first(raw: Any) -> Any:
    try:
        return raw[0]
    except (TypeError, IndexError, KeyError):
        return 0


def _refuse(name: str, why: str) -> None:
    raise ValueError(f"the labels of {name} must be one integer an example; {why}.")
