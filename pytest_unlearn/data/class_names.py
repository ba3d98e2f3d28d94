"""Names of classes: labels of text as numbers, `classes_` as labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pytest_unlearn.core.evidence import IntArray
from pytest_unlearn.data.tables import missing

Names = tuple[str, ...]


def named(raw: Any, name: str) -> tuple[IntArray, Names] | None:
    """Give numbers to labels of text, by their sorted names; None for others.

    Raises:
        ValueError: some are missing, or only some are text.
    """
    try:
        labels = np.asarray(raw)
    except ValueError:  # ragged, which is said elsewhere
        return None
    labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if labels.ndim != 1 or labels.dtype.kind not in "UOT":
        return None
    text = [isinstance(label, str) for label in labels.tolist()]
    if not any(text):
        return None
    gone = np.flatnonzero(missing(labels))
    if len(gone):
        raise ValueError(
            f"the labels of {name} are missing at {len(gone)} positions, the first {gone[0]}: leave these examples out."
        )
    if not all(text):
        raise ValueError(f"the labels of {name} are partly text and partly {type(labels[text.index(False)]).__name__}.")
    values = [str(label) for label in labels.tolist()]
    names = tuple(sorted(set(values)))
    number = {value: code for code, value in enumerate(names)}
    return np.array([number[value] for value in values], dtype=np.int64), names


def together(parts: Mapping[str, Names | None]) -> Names | None:
    """Return the names of all classes, sorted, where labels are text.

    Raises:
        ValueError: only some of the parts have labels of text.
    """
    text = [part for part, names in parts.items() if names is not None]
    other = [part for part, names in parts.items() if names is None]
    if text and other:
        raise ValueError(
            f"the labels of {text[0]} are text and those of {other[0]} are numbers: use the same labels everywhere."
        )
    return tuple(sorted({name for names in parts.values() for name in names or ()})) or None


def recoded(labels: IntArray, names: Names, onto: Names) -> IntArray:
    """Give labels the numbers of other names, of which theirs are a part."""
    number = {name: code for code, name in enumerate(onto)}
    return np.array([number[name] for name in names], dtype=np.int64)[labels]


def classes_as_labels(classes: Any, names: Names | None) -> IntArray | None:
    """Return a classifier's `classes_` as class numbers.

    None where they are no labels of the task. A classifier that was trained on the numbers of named classes answers by
    these.
    """
    given = np.asarray(classes)
    given = np.array(given.tolist()) if given.dtype == object else given
    if given.dtype.kind in "iub" or (given.dtype.kind == "f" and np.array_equal(given, np.round(given))):
        numbers: IntArray = given.astype(np.int64)
        return numbers if names is None or np.isin(numbers, np.arange(len(names))).all() else None
    if names is None or not set(given.tolist()) & set(names):
        return None
    number = {name: code for code, name in enumerate(names)}
    for value in given.tolist():  # classes that no example has come after the others
        number.setdefault(value, len(number))
    return np.array([number[value] for value in given.tolist()], dtype=np.int64)
