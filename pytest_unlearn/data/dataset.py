"""Read labelled data in any form once, check it, and digest its contents."""

from __future__ import annotations

import copy
import hashlib
import warnings
from typing import Any

import numpy as np

from pytest_unlearn.core.evidence import IntArray
from pytest_unlearn.data.class_names import Names, named, recoded
from pytest_unlearn.data.content import DIGEST_SIZE, NUMERIC, UnreadableError, content_digest, exact_digest
from pytest_unlearn.data.identity import DataMemory, Remembered
from pytest_unlearn.data.items import check_source, split_item
from pytest_unlearn.data.kept_items import KeptItems, is_tensor, stacked, to_numpy
from pytest_unlearn.data.labels import check_varied, whole_labels
from pytest_unlearn.data.row_digests import DigestArray, digest_array, digest_pairs, digest_rows
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

__all__ = ["Examples", "check_alike", "is_tensor", "to_numpy"]

REREAD = 256  # how many items of a dataset are read a second time to see whether they change


class Examples:
    """Hold labelled examples `(x, y)` in a fixed order, map-style.

    `labels`, int64, shape (examples,), number the classes; `names` are these classes where labels are text, in that
    order. `contents` holds a digest of each input alone (same picture, same digest,
    float32 or float64; same row of objects), `exact` one of its type as well, shape (examples,). All inputs have the
    same `shape`.
    """

    def __init__(self, source: Any, name: str, memory: DataMemory | None = None) -> None:
        self.name, self.source = name, source
        self._left_out = ""
        self.remembered = False  # whether digests and labels are of another process, and nothing was read
        self._kept: KeptItems | None = None
        self.shape: tuple[int, ...] | None = None
        self.names: Names | None = None
        self._arrays = _as_arrays(source, name)
        if self._arrays is None:
            check_source(source, name)
        if len(self) == 0:
            raise ValueError(f"{name} is empty: an audit needs at least one example in it.")
        if self.is_table:  # which is in memory
            memory = None
        known = memory.load(len(self)) if memory is not None else None
        if known is not None:
            self.contents, self.exact, self.labels = known.contents, known.exact, known.labels
            self.names, self.shape, self.remembered = known.names, known.shape, True
            return
        self._read_all()
        if memory is not None:
            memory.save(Remembered(self.contents, self.exact, self.labels, self.names, self.shape))

    def _read_all(self) -> None:
        self.contents, self.exact, raw = self._rows()
        by_name = named(raw, self.name)
        self.names = by_name[1] if by_name else None
        self.labels = by_name[0] if by_name else whole_labels(raw, self.name)
        if self._left_out:
            check_varied(self.labels, self.name)
            warnings.warn(f"{self.name}: {self._left_out} are no part of an audit, and ignored.", stacklevel=4)
        self._check_stable()

    def __len__(self) -> int:
        return len(self._arrays[1]) if self._arrays is not None else len(self.source)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"{self.name} has {len(self)} examples; there is no index {index}")
        return self._input(index), int(self.labels[index])

    def __getstate__(self) -> dict[str, Any]:
        """Leave out items that were kept: whoever gets a copy reads its own."""
        return {**self.__dict__, "_kept": None}

    def inputs(self, indices: IntArray, *, keep: bool = False) -> Any:
        """Stack the inputs at `indices`.

        Of a pair they stay what was given; of items they are a tensor where these are tensors, else an array.

        Args:
            indices: positions, shape (examples,).
            keep: whether items stay at hand, so that each is read from the dataset once.
        """
        if self._arrays is not None:
            return take(self._arrays[0], indices)
        if keep and self._kept is None and self.shape is not None:
            self._kept = KeptItems(len(self), int(indices[0]), self._item(int(indices[0]))[0])
        if keep and self._kept is not None and self._kept.fits:
            return self._kept.take(indices, self._input)
        return stacked([self._input(int(index)) for index in indices])

    def check_remembered(self, indices: IntArray) -> None:
        """Read some examples, and compare them with what was remembered of them.

        Raises:
            ValueError: one of them is another now.
        """
        if self.remembered and len(indices):
            if self._arrays is None:
                self.inputs(indices, keep=True)
            else:
                for index in indices:
                    self._check_same(int(index), self._input(int(index)), self._arrays[1][int(index)])

    @property
    def in_memory(self) -> bool:
        """Whether a pair was handed over, and no dataset whose items have to be read."""
        return self._arrays is not None

    @property
    def is_table(self) -> bool:
        """Whether the inputs are a frame, a sparse matrix or texts."""
        return self._arrays is not None and is_table(self._arrays[0])

    @property
    def frame(self) -> Any:
        """The inputs, if they are a DataFrame; None otherwise."""
        return self._arrays[0] if self._arrays is not None and is_frame(self._arrays[0]) else None

    @property
    def index(self) -> Any:
        """The index of the DataFrame that was handed over; None without one."""
        return None if self.frame is None else getattr(self.source[0], "index", None)

    def name_of(self, label: int) -> str:
        """Name a class as the labels did."""
        return str(label) if self.names is None else self.names[label]

    def like(self, train: Examples, names: Names | None) -> Examples:
        """Return the same examples, by other names and with columns in train's order."""
        renamed = names is not None and names != self.names
        turned = self.frame is not None and columns_of(self.frame) != columns_of(train.frame)
        if not renamed and not turned:
            return self
        other = copy.copy(self)
        if names is not None and self.names is not None:
            other.labels, other.names = recoded(self.labels, self.names, names), names
        if turned:
            other._arrays = self.frame[columns_of(train.frame)], other.labels
        return other

    def digests(self, indices: IntArray | None = None, *, exact: bool = True) -> DigestArray:
        """Return a digest of each input with its label: all, or those at `indices`."""
        inputs, labels = self.exact if exact else self.contents, self.labels
        if indices is not None:
            inputs, labels = inputs[indices], labels[indices]
        values, places = np.unique(labels, return_inverse=True)
        named = [hashlib.blake2b(self.name_of(value).encode(), digest_size=DIGEST_SIZE).digest() for value in values]
        halves = [part.view(np.uint8).reshape(-1, DIGEST_SIZE) for part in (inputs, digest_array(named)[places])]
        return np.concatenate(halves, axis=1).view(f"S{2 * DIGEST_SIZE}").reshape(-1)

    def without_repeats(self, indices: IntArray) -> IntArray:
        """Drop the indices whose input an earlier one has already."""
        first = dict(zip(self.contents[indices][::-1].tolist(), indices[::-1].tolist(), strict=True))
        return indices[np.isin(indices, list(first.values()))]

    def _rows(self) -> tuple[DigestArray, DigestArray, Any]:
        """Read everything once: two digests of each input, and the labels as given."""
        if self._arrays is None:
            pairs, labels = zip(*(self._read(index) for index in range(len(self))), strict=True)
            return *digest_pairs(pairs), list(labels)
        inputs, raw = self._arrays
        try:
            if self.is_table:
                self.shape = tuple(inputs.shape[1:])
                return *digest_pairs(row_digests(inputs)), raw
            if (rows := to_numpy(inputs)).dtype.kind in NUMERIC:
                self.shape = rows.shape[1:]
                return *digest_rows(rows), raw
        except UnreadableError as unreadable:
            where = "" if self.is_table else f"[{unreadable.row}]"
            raise ValueError(f"{self.name}{where} holds {unreadable}.") from unreadable.__cause__
        return *digest_pairs(self._read(index)[0] for index in range(len(self))), raw

    def _input(self, index: int) -> Any:
        if self._arrays is None:
            if self._kept is not None and self._kept.has(index):
                return self._kept.one(index)
            return self._item(index)[0]
        inputs = self._arrays[0]
        return take(inputs, [index % len(self)]) if is_frame(inputs) or is_sparse(inputs) else inputs[index]

    def _item(self, index: int) -> tuple[Any, Any]:
        x, y, self._left_out = split_item(self.source[index], f"{self.name}[{index}]")
        if self.remembered:
            self._check_same(index, x, y)
        return x, y

    def _check_same(self, index: int, x: Any, y: Any) -> None:
        """Compare an example that was read with what is remembered of it."""
        found = self._digest_pair(index, to_numpy(x))
        label = np.array([to_numpy(y)])
        name = str(y) if self.names is not None else self.name_of(int(whole_labels(label, self.name)[0]))
        if digest_array(found[1:])[0] != self.exact[index] or name != self.name_of(int(self.labels[index])):
            raise ValueError(
                f"{self.name}[{index}] is not what the identity of {self.name} stood for when the data were read: give "
                "changed data another identity, or remove what is remembered with `python -m pytest_unlearn cache "
                "purge`."
            )

    def _digest_pair(self, index: int, x: Any) -> tuple[bytes, bytes]:
        try:
            return content_digest(x), exact_digest(x)
        except UnreadableError as unreadable:
            raise ValueError(f"{self.name}[{index}] holds {unreadable}.") from unreadable.__cause__

    def _read(self, index: int) -> tuple[tuple[bytes, bytes], Any]:
        """Read one item: the digests of its input (content, exact) and its label."""
        x, label = (self._input(index), None) if self._arrays is not None else self._item(index)
        x = to_numpy(x)
        self.shape = x.shape if self.shape is None else self.shape
        if x.shape != self.shape:
            raise ValueError(
                f"{self.name}[{index}] has shape {x.shape}, and {self.name}[0] {self.shape}: give every example the "
                "same shape, by padding or resizing in the dataset."
            )
        return self._digest_pair(index, x), to_numpy(label)

    def _check_stable(self) -> None:
        if self._arrays is not None:
            return
        for index in np.unique(np.linspace(0, len(self) - 1, min(REREAD, len(self))).astype(int)):
            if digest_array([content_digest(to_numpy(self._input(int(index))))])[0] != self.contents[index]:
                raise ValueError(
                    f"{self.name}[{index}] changed between two reads: the dataset transforms at random. Hand over the "
                    "deterministic test-time transform; an audit must score what was stored."
                )


def check_alike(train: Examples, other: Examples) -> None:
    """Refuse inputs of another form than those of train.

    No model could be asked about both.

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


def _as_arrays(source: Any, name: str) -> tuple[Any, Any] | None:
    """Return the arrays (X, y) of a pair or a TensorDataset; None for a dataset of items."""
    tensors = getattr(source, "tensors", None)  # torch.utils.data.TensorDataset
    if tensors is not None:
        if len(tensors) > 2 and tensors[1].numel() == len(tensors[1]):
            return None  # items (x, y, ...)
        source = tuple(tensors)
    if is_frame(source):
        raise ValueError(
            f'{name} is a DataFrame without labels: pass ({name}, "the label\'s column") or ({name}, labels).'
        )
    if (table := _as_table(source, name)) is not None:
        return table
    if isinstance(source, tuple):
        arrays = any(hasattr(part, "shape") or isinstance(part, list) for part in source)
    else:  # a list of arrays has no items (x, y), so one of two is meant as a pair
        arrays = isinstance(source, list) and len(source) == 2 and all(getattr(part, "shape", ()) for part in source)
    if not arrays:
        return None
    if len(source) != 2:
        raise ValueError(f"{name} must be a pair (X, y); labels are missing or there is more than inputs and labels.")
    inputs, labels = (part.detach().cpu() if is_tensor(part) else np.asarray(part) for part in source)
    if len(inputs) != len(labels):
        raise ValueError(f"{name} has {len(inputs)} inputs but {len(labels)} labels.")
    return inputs, to_numpy(labels)


def _as_table(source: Any, name: str) -> tuple[Any, Any] | None:
    """Read a pair of a table, or of texts, and its labels or the name of their column; None for other sources."""
    if not isinstance(source, (tuple, list)) or len(source) != 2:
        return None
    if isinstance(source, list) and not hasattr(source[0], "shape"):
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
    if labels.ndim == 0 or len(labels) != row_count(inputs):
        count = len(labels) if labels.ndim else 1
        raise ValueError(f"{name} has {row_count(inputs)} inputs but {count} labels.")
    return inputs, labels
