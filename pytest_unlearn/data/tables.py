"""Inputs in any form: arrays, tensors, data frames, sparse matrices, texts.

Frames stay frames: rows are taken by position, and a model gets them with their column names and types.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from pytest_unlearn.core.evidence import FloatArray, IntArray

HASHED = 64  # columns that words of a text are counted in, where numbers are asked for
WORDY = 0.5  # of the values of a column have a space in them: it is text and not names


def is_frame(value: Any) -> bool:
    """Whether this is a DataFrame of pandas or polars, without importing either."""
    return _is_a(value, "pandas", "DataFrame") or _is_a(value, "polars", "DataFrame")


def is_series(value: Any) -> bool:
    """Whether this is a Series of pandas or polars."""
    return _is_a(value, "pandas", "Series") or _is_a(value, "polars", "Series")


def is_sparse(value: Any) -> bool:
    """Whether this is a sparse matrix or array of scipy."""
    scipy = sys.modules.get("scipy.sparse")
    return scipy is not None and bool(scipy.issparse(value))


def is_texts(value: Any) -> bool:
    """Whether this is an array with one text an example."""
    return (
        isinstance(value, np.ndarray)
        and value.ndim == 1
        and (value.dtype.kind == "U" or (value.dtype == object and len(value) > 0 and isinstance(value[0], str)))
    )


def is_table(value: Any) -> bool:
    """Whether this is to be handed to a model as it is, and not as an array."""
    return is_frame(value) or is_sparse(value) or is_texts(value)


def as_table(value: Any) -> Any:
    """Return inputs that are no array in the form they are kept in, None for others.

    A frame of pandas is numbered anew, as rows are taken by position; texts become an array of objects.
    """
    if _is_a(value, "pandas", "DataFrame"):
        return value.reset_index(drop=True)
    if is_frame(value):
        return value
    if is_sparse(value):
        return value.tocsr()
    if is_series(value) or (isinstance(value, (list, np.ndarray)) and len(value) > 0):
        texts = np.asarray(value, dtype=object) if is_series(value) or isinstance(value[0], str) else value
        return texts.astype(object) if is_texts(texts) else None
    return None


def columns_of(frame: Any) -> list[Any]:
    """List the names of a frame's columns."""
    return list(frame.columns)


def column(frame: Any, name: Any) -> Any:
    """Return a column of a frame as an array; ValueError if there is none."""
    if name not in columns_of(frame):
        raise ValueError(f"there is no column {name!r}: there are {', '.join(map(repr, columns_of(frame)))}")
    return np.asarray(frame[name])


def without_column(frame: Any, name: Any) -> Any:
    """Return a frame without one of its columns."""
    return frame.drop(columns=[name]) if _is_a(frame, "pandas", "DataFrame") else frame.drop(name)


def row_count(inputs: Any) -> int:
    """Count the rows; a sparse matrix has no length."""
    return int(inputs.shape[0]) if hasattr(inputs, "shape") else len(inputs)


def take(inputs: Any, positions: Any) -> Any:
    """Take rows by position, in any order and as often as asked for."""
    if _is_a(inputs, "pandas", "DataFrame"):
        return inputs.iloc[positions].reset_index(drop=True)
    return inputs[positions]


def concatenate(parts: Sequence[Any]) -> Any:
    """Put inputs of one form below each other."""
    first = parts[0]
    if is_sparse(first):
        from scipy import sparse

        return sparse.vstack(list(parts), format="csr")
    if _is_a(first, "polars", "DataFrame"):
        return sys.modules["polars"].concat([part.select(first.columns) for part in parts], how="vertical_relaxed")
    if is_frame(first):
        return _stacked(parts)
    if any(_is_a(part, "torch", "Tensor") for part in parts):
        torch = sys.modules["torch"]
        return torch.cat([torch.as_tensor(part) for part in parts])
    return np.concatenate(list(parts))


def numbers(inputs: Any) -> FloatArray:
    """Return inputs as rows of numbers, for whoever looks at them without a model.

    Numbers stay as they are, missing ones NaN; names and dates become their rank, texts counts of hashed words.
    """
    if is_frame(inputs):
        return np.concatenate([_column_numbers(_values(inputs[name])) for name in columns_of(inputs)], axis=1)
    if is_sparse(inputs):
        return np.asarray(inputs.toarray(), dtype=np.float64)
    if is_texts(inputs):
        return _hashed_words(inputs)
    rows = np.asarray(inputs)
    rows = rows.reshape(len(rows), -1)
    try:
        return np.asarray(rows, dtype=np.float64)
    except (TypeError, ValueError):
        return np.concatenate([_column_numbers(rows[:, k]) for k in range(rows.shape[1])], axis=1)


def comparable(inputs: Any) -> FloatArray:
    """Return inputs as rows; missing numbers become the mean of their column."""
    rows = numbers(inputs)
    gone = np.isnan(rows)
    if gone.any():
        counts = (~gone).sum(axis=0)
        means = np.where(gone, 0, rows).sum(axis=0) / np.maximum(counts, 1)
        rows = np.where(gone, means, rows)
    return rows


def plain_numbers(inputs: Any, who: str) -> Any:
    """Return the numbers of a table for a model that takes arrays alone.

    Raises:
        ValueError: it holds something else.
    """
    if is_sparse(inputs):
        return np.asarray(inputs.toarray(), dtype=np.float32)
    try:
        return np.asarray(inputs).astype(np.float32)
    except (TypeError, ValueError):
        what = "columns of text or names" if is_frame(inputs) else "text"
        raise ValueError(
            f"{who} takes numbers, and the inputs hold {what}: encode them first, or use EstimatorRecipe with a "
            "pipeline that does."
        ) from None


def missing(values: Any) -> Any:
    """Tell for each of some objects whether it stands for a value that is missing."""
    return np.array([_is_missing(value) for value in values], dtype=bool)


def _stacked(frames: Sequence[Any]) -> Any:
    """Stack frames of pandas; categories that differ are united, so that columns stay categorical."""
    pandas = sys.modules["pandas"]
    kept = list(frames)
    for name in kept[0].columns:
        kinds = [frame[name].dtype for frame in kept]
        if all(isinstance(kind, pandas.CategoricalDtype) for kind in kinds) and len(set(kinds)) > 1:
            every = dict.fromkeys(category for kind in kinds for category in kind.categories)
            united = pandas.CategoricalDtype(list(every), kinds[0].ordered)
            kept = [frame.assign(**{name: frame[name].astype(united)}) for frame in kept]
    return pandas.concat(kept, ignore_index=True)


def _values(series: Any) -> Any:
    """Return a frame's column as numbers or as objects."""
    values = np.asarray(series)
    return values.astype(np.float64) if values.dtype.kind in "biuf" else values.astype(object)


def _column_numbers(values: Any) -> FloatArray:
    """Return a column as numbers, shape (rows, 1), or (rows, HASHED) for a text."""
    try:
        return np.array([np.nan if _is_missing(v) else v for v in values], dtype=np.float64).reshape(-1, 1)
    except (TypeError, ValueError):
        words = np.array(["" if _is_missing(value) else str(value) for value in values], dtype=object)
    if np.mean([" " in word.strip() for word in words]) > WORDY and len(set(words)) > len(words) / 2:
        return _hashed_words(words)
    ranks: IntArray = np.unique(words.astype(str), return_inverse=True)[1]
    return ranks.reshape(-1, 1).astype(np.float64)


def _hashed_words(texts: Any) -> FloatArray:
    from sklearn.feature_extraction.text import HashingVectorizer

    counts = HashingVectorizer(n_features=HASHED, alternate_sign=False, norm=None).transform(list(texts))
    return np.asarray(counts.toarray(), dtype=np.float64)


def _is_missing(value: Any) -> bool:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(value, (np.datetime64, np.timedelta64)):
        return bool(np.isnat(value))
    return isinstance(value, (float, np.floating)) and bool(np.isnan(value))


def _is_a(value: Any, module: str, name: str) -> bool:
    kind = getattr(sys.modules.get(module), name, None)
    return kind is not None and isinstance(value, kind)
