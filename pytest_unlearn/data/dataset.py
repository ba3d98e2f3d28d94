"""Read labelled data in any form once, check it, and digest its contents."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from pytest_unlearn.core.evidence import IntArray
from pytest_unlearn.data.content import UnreadableError, content_digest, exact_digest

REREAD = 256  # how many items of a dataset are read a second time to see whether they change


class Examples:
    """Hold labelled examples `(x, y)` in a fixed order, map-style.

    `labels`, int64, shape (examples,). `contents` holds a digest of each input alone (same picture, same digest,
    float32 or float64; same row of objects); `digests` one of the exact input with its label.
    """

    def __init__(self, source: Any, name: str) -> None:
        self.name = name
        self._arrays = _as_arrays(source, name)
        self._source = source
        if self._arrays is None and not (hasattr(source, "__len__") and hasattr(source, "__getitem__")):
            raise ValueError(
                f"{name} must be a map-style dataset of (x, y) items with a length, or a pair of arrays (X, y); "
                f"got {type(source).__name__}."
            )
        if len(self) == 0:
            raise ValueError(f"{name} is empty: an audit needs at least one example in it.")
        inputs, labels = zip(*(self._read(index) for index in range(len(self))), strict=True)
        self.contents = tuple(digest for digest, _ in inputs)
        self.labels = _integers(self._arrays[1] if self._arrays is not None else labels, name)
        self.digests = tuple(
            hashlib.blake2b(exact + str(label).encode(), digest_size=16).digest()
            for (_, exact), label in zip(inputs, self.labels, strict=True)
        )
        self._check_stable()

    def __len__(self) -> int:
        return len(self._arrays[1]) if self._arrays is not None else len(self._source)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"{self.name} has {len(self)} examples; there is no index {index}")
        x = self._arrays[0][index] if self._arrays is not None else self._source[index][0]
        return x, int(self.labels[index])

    def inputs(self, indices: IntArray) -> Any:
        """Stack the inputs at `indices`: a tensor where items are tensors, else an array."""
        if self._arrays is not None:
            return self._arrays[0][indices]
        items = [self._source[int(index)][0] for index in indices]
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
