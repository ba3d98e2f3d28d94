"""Read labelled data in any form once, check it, and digest its contents."""

from __future__ import annotations

import copy
import hashlib
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from pytest_unlearn.core.evidence import IntArray
from pytest_unlearn.data.content import UnreadableError, content_digest, exact_digest
from pytest_unlearn.data.labels import Names, named, plain, recoded
from pytest_unlearn.data.table_content import row_digests
from pytest_unlearn.data.tables import (
    as_table,
    column,
    columns_of,
    is_frame,
    is_sparse,
    is_table,
    row_count,
    take,
    without_column,
)

REREAD = 256  # how many items of a dataset are read a second time to see whether they change


class Examples:
    """Hold labelled examples `(x, y)` in a fixed order, map-style.

    `labels`, int64, shape (examples,), number the classes; `names` are these classes where labels are text, in that
    order. `contents` holds a digest of each input alone (same picture, same digest,
    float32 or float64; same row of objects); `digests` one of the exact input with its label.
    """

    def __init__(self, source: Any, name: str) -> None:
        self.name = name
        self._arrays = _as_arrays(source, name)
        self.index = getattr(source[0], "index", None) if isinstance(source, tuple) and is_frame(source[0]) else None
        self._source = source
        if self._arrays is None and not (hasattr(source, "__len__") and hasattr(source, "__getitem__")):
            raise ValueError(
                f"{name} must be a map-style dataset of (x, y) items with a length, or a pair of arrays (X, y); "
                f"got {type(source).__name__}."
            )
        if len(self) == 0:
            raise ValueError(f"{name} is empty: an audit needs at least one example in it.")
        inputs, labels = zip(*self._rows(), strict=True)
        self.contents = tuple(digest for digest, _ in inputs)
        self.names: Names | None = None
        raw = self._arrays[1] if self._arrays is not None else np.asarray(labels)
        if (by_name := named(raw, name)) is not None:
            self.labels, self.names = by_name
        else:
            self.labels = _integers(plain(raw), name)
        self.digests = tuple(
            hashlib.blake2b(exact + self.name_of(label).encode(), digest_size=16).digest()
            for (_, exact), label in zip(inputs, self.labels, strict=True)
        )
        self._check_stable()

    def __len__(self) -> int:
        return len(self._arrays[1]) if self._arrays is not None else len(self._source)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"{self.name} has {len(self)} examples; there is no index {index}")
        if self._arrays is None:
            x = self._source[index][0]
        elif is_frame(self._arrays[0]) or is_sparse(self._arrays[0]):
            x = take(self._arrays[0], [index % len(self)])
        else:
            x = self._arrays[0][index]
        return x, int(self.labels[index])

    def inputs(self, indices: IntArray) -> Any:
        """Stack the inputs at `indices`: as they were given, or a tensor where items are tensors, else an array."""
        if self._arrays is not None:
            return take(self._arrays[0], indices)
        items = [self._source[int(index)][0] for index in indices]
        if is_tensor(items[0]):
            import torch

            return torch.stack(items)
        return np.stack([np.asarray(item) for item in items])

    @property
    def is_table(self) -> bool:
        """Whether the inputs are a frame, a sparse matrix or texts, which models get as they are."""
        return self._arrays is not None and is_table(self._arrays[0])

    @property
    def frame(self) -> Any:
        """The inputs, if they are a DataFrame; None otherwise."""
        return self._arrays[0] if self._arrays is not None and is_frame(self._arrays[0]) else None

    def name_of(self, label: int) -> str:
        """Name a class as the labels did."""
        return str(label) if self.names is None else self.names[label]

    def like(self, train: Examples, names: Names | None) -> Examples:
        """Return the same examples with classes numbered by `names`, and columns in train's order."""
        other = copy.copy(self)
        if names is not None and self.names is not None and names != self.names:
            other.labels, other.names = recoded(self.labels, self.names, names), names
        if self.frame is not None and columns_of(self.frame) != columns_of(train.frame):
            other._arrays = self.frame[columns_of(train.frame)], other.labels
        return self if vars(other) == vars(self) else other

    def without_repeats(self, indices: IntArray) -> IntArray:
        """Drop the indices whose input an earlier one has already."""
        first: dict[bytes, int] = {}
        for index in indices:
            first.setdefault(self.contents[index], int(index))
        return np.array(list(first.values()), dtype=np.int64)

    def _rows(self) -> Iterable[tuple[tuple[bytes, bytes], Any]]:
        """Read everything once: the digests of each input and its label as given."""
        if self._arrays is not None and self.is_table:
            try:
                return [(digests, None) for digests in row_digests(self._arrays[0])]
            except UnreadableError as unreadable:
                raise ValueError(f"{self.name} holds {unreadable}.") from unreadable.__cause__
        return (self._read(index) for index in range(len(self)))

    def _read(self, index: int) -> tuple[tuple[bytes, bytes], Any]:
        """Read one item: the digests of its input (content, exact) and its label as given."""
        stacked = self._arrays
        item = (stacked[0][index], None) if stacked is not None else _pair(self._source[index], self.name, index)
        x = np.asarray(item[0])
        try:
            return (content_digest(x), exact_digest(x)), item[1]
        except UnreadableError as unreadable:
            raise ValueError(f"{self.name}[{index}] holds {unreadable}.") from unreadable.__cause__

    def _check_stable(self) -> None:
        if self._arrays is not None:
            return
        for index in np.unique(np.linspace(0, len(self) - 1, min(REREAD, len(self))).astype(int)):
            if content_digest(np.asarray(self._source[int(index)][0])) != self.contents[index]:
                raise ValueError(
                    f"{self.name}[{index}] changed between two reads: the dataset transforms at random. Hand over the "
                    "deterministic test-time transform; an audit must score what was stored."
                )


def check_alike(train: Examples, other: Examples) -> None:
    """Refuse inputs of another form than those of train: no model could be asked about both.

    Raises:
        ValueError: a frame beside something else, or one that lacks columns of train's.
    """
    if _form(train) != _form(other):
        raise ValueError(
            f"the inputs of {train.name} are {_form(train)} and those of {other.name} {_form(other)}: hand over both "
            "alike."
        )
    if train.frame is None:
        return
    ours, theirs = columns_of(train.frame), columns_of(other.frame)
    lacking = [str(name) for name in ours if name not in theirs]
    beyond = [str(name) for name in theirs if name not in ours]
    if lacking or beyond:
        what = f"lacks the column {lacking[0]!r} of {train.name}" if lacking else f"has a column {beyond[0]!r} more"
        raise ValueError(f"{other.name} {what}: give all frames the same columns.")


def _form(examples: Examples) -> str:
    if examples.frame is not None:
        return f"a DataFrame of {type(examples.frame).__module__.partition('.')[0]}"
    return "a sparse matrix or texts" if examples.is_table else "an array or a dataset"


def is_tensor(value: Any) -> bool:
    """Tell whether value is a torch tensor, without importing torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def to_numpy(value: Any) -> Any:
    """Make an array of what may be a tensor on some device."""
    if not is_tensor(value):
        return np.asarray(value)
    # numpy has no bfloat16; float32 holds every value of it.
    return (value.float() if str(value.dtype) == "torch.bfloat16" else value).detach().cpu().numpy()


def _as_arrays(source: Any, name: str) -> tuple[Any, Any] | None:
    tensors = getattr(source, "tensors", None)  # torch.utils.data.TensorDataset
    if tensors is not None:
        source = tuple(tensors)
    if is_frame(source):
        raise ValueError(
            f'{name} is a DataFrame without labels: pass ({name}, "the label\'s column") or ({name}, labels).'
        )
    if (table := _as_table(source, name)) is not None:
        return table
    is_pair = isinstance(source, tuple) and len(source) == 2 and all(hasattr(part, "shape") for part in source)
    if not is_pair:
        if tensors is not None or (isinstance(source, tuple) and any(hasattr(part, "shape") for part in source)):
            raise ValueError(
                f"{name} must be a pair (X, y); labels are missing or there is more than inputs and labels."
            )
        return None
    inputs, labels = (part.detach().cpu() if is_tensor(part) else np.asarray(part) for part in source)
    if len(inputs) != len(labels):
        raise ValueError(f"{name} has {len(inputs)} inputs but {len(labels)} labels.")
    return inputs, to_numpy(labels)


def _as_table(source: Any, name: str) -> tuple[Any, Any] | None:
    """Read a pair of a table, or of texts, and its labels or the name of their column; None for other sources."""
    if not isinstance(source, tuple) or len(source) != 2:
        return None
    inputs, labels = as_table(source[0]), source[1]
    if inputs is None:
        return None
    if isinstance(labels, str) and is_frame(inputs):
        try:
            labels, inputs = column(inputs, labels), without_column(inputs, labels)
        except ValueError as error:
            raise ValueError(f"{name} has no labels: {error}.") from None
    labels = to_numpy(labels)
    if labels.ndim == 2 and labels.shape[1] == 1:  # a frame of one column
        labels = labels[:, 0]
    if labels.ndim == 0 or len(labels) != row_count(inputs):
        count = len(labels) if labels.ndim else 1
        raise ValueError(f"{name} has {row_count(inputs)} inputs but {count} labels.")
    return inputs, labels


def _pair(item: Any, name: str, index: int) -> tuple[Any, Any]:
    if not isinstance(item, Sequence) or isinstance(item, str) or len(item) != 2:
        raise ValueError(f"{name}[{index}] is not an (x, y) pair: labels are missing. Every item needs its label.")
    label = to_numpy(item[1])
    return item[0], label.item() if label.size == 1 else label


def _integers(raw: Any, name: str) -> IntArray:
    labels = np.asarray(raw)
    if labels.ndim != 1 or labels.dtype.kind not in "iub":
        raise ValueError(
            f"the labels of {name} must be one integer an example; got {labels.dtype} of shape {labels.shape}. "
            "Encode class names as integers first."
        )
    return labels.astype(np.int64)
