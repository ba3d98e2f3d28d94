"""Read labelled data in any form once, check it, and digest its contents."""

from __future__ import annotations

import hashlib
import sys
import warnings
from typing import Any

import numpy as np

from pytest_unlearn.core.evidence import IntArray
from pytest_unlearn.data.content import UnreadableError, content_digest, exact_digest
from pytest_unlearn.data.items import check_source, split_item
from pytest_unlearn.data.labels import check_varied, whole_labels

REREAD = 256  # how many items of a dataset are read a second time to see whether they change


class Examples:
    """Hold labelled examples `(x, y)` in a fixed order, map-style.

    `labels`, int64, shape (examples,). `contents` holds a digest of each input alone (same picture, same digest,
    float32 or float64; same row of objects); `digests` one of the exact input with its label. All inputs have the same
    `shape`.
    """

    def __init__(self, source: Any, name: str) -> None:
        self.name, self.source = name, source
        self._left_out = ""
        self.shape: tuple[int, ...] | None = None
        self._arrays = _as_arrays(source, name)
        if self._arrays is None:
            check_source(source, name)
        if len(self) == 0:
            raise ValueError(f"{name} is empty: an audit needs at least one example in it.")
        inputs, labels = zip(*(self._read(index) for index in range(len(self))), strict=True)
        self.contents = tuple(digest for digest, _ in inputs)
        self.labels = whole_labels(self._arrays[1] if self._arrays is not None else list(labels), name)
        if self._left_out:
            check_varied(self.labels, name)
            warnings.warn(f"{name}: {self._left_out} are no part of an audit, and ignored.", stacklevel=3)
        self.digests = tuple(
            hashlib.blake2b(exact + str(label).encode(), digest_size=16).digest()
            for (_, exact), label in zip(inputs, self.labels, strict=True)
        )
        self._check_stable()

    def __len__(self) -> int:
        return len(self._arrays[1]) if self._arrays is not None else len(self.source)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"{self.name} has {len(self)} examples; there is no index {index}")
        return self._input(index), int(self.labels[index])

    def inputs(self, indices: IntArray) -> Any:
        """Stack the inputs at `indices`: a tensor where items are tensors, else an array."""
        if self._arrays is not None:
            return self._arrays[0][indices]
        items = [self._input(int(index)) for index in indices]
        if is_tensor(items[0]):
            import torch

            return torch.stack(items)
        return np.stack([np.asarray(item) for item in items])

    def without_repeats(self, indices: IntArray) -> IntArray:
        """Drop the indices whose input an earlier one has already."""
        first: dict[bytes, int] = {}
        for index in indices:
            first.setdefault(self.contents[index], int(index))
        return np.array(list(first.values()), dtype=np.int64)

    def _input(self, index: int) -> Any:
        return self._arrays[0][index] if self._arrays is not None else self._item(index)[0]

    def _item(self, index: int) -> tuple[Any, Any]:
        x, y, self._left_out = split_item(self.source[index], f"{self.name}[{index}]")
        return x, y

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
        try:
            return (content_digest(x), exact_digest(x)), to_numpy(label)
        except UnreadableError as unreadable:
            raise ValueError(f"{self.name}[{index}] holds {unreadable}.") from unreadable.__cause__

    def _check_stable(self) -> None:
        if self._arrays is not None:
            return
        for index in np.unique(np.linspace(0, len(self) - 1, min(REREAD, len(self))).astype(int)):
            if content_digest(to_numpy(self._input(int(index)))) != self.contents[index]:
                raise ValueError(
                    f"{self.name}[{index}] changed between two reads: the dataset transforms at random. Hand over the "
                    "deterministic test-time transform; an audit must score what was stored."
                )


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
    """Return the arrays (X, y) of a pair or a TensorDataset; None for a dataset of items."""
    tensors = getattr(source, "tensors", None)  # torch.utils.data.TensorDataset
    if tensors is not None:
        if len(tensors) > 2 and tensors[1].numel() == len(tensors[1]):
            return None  # items (x, y, ...)
        source = tuple(tensors)
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
