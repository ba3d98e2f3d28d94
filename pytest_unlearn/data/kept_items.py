"""Keep items of a dataset that were read, each at its place in one array."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np

from pytest_unlearn.core.evidence import IntArray

KEEP_BYTES = 1 << 29  # an array up to this size lies in memory; a larger one in a file, of which only what is read is


class KeptItems:
    """Hold the items of a dataset that were read so far.

    The array has a place for each item of the dataset; neither memory nor disk is taken by those that were not read.

    Args:
        count: how many items the dataset has.
        index: of one that was read.
        like: this one; all have its shape and type.
    """

    def __init__(self, count: int, index: int, like: Any) -> None:
        self._like_tensor = is_tensor(like)
        first = to_numpy(like)
        self._type = str(like.dtype) if self._like_tensor else str(first.dtype)
        on_device = self._like_tensor and (like.device.type != "cpu" or "bfloat16" in self._type)
        self.fits = not on_device and not first.dtype.hasobject
        self.faithful = self._like_tensor or isinstance(like, np.ndarray)  # an image comes back as an array
        self._have = np.zeros(count, dtype=bool)
        if self.fits:
            size, shape = count * first.nbytes, (count, *first.shape)
            if size <= KEEP_BYTES:
                self._rows = np.empty(shape, first.dtype)
            else:
                self._rows = np.memmap(tempfile.TemporaryFile(), first.dtype, "w+", shape=shape)  # noqa: SIM115
            self._rows[index] = first
            self._have[index] = True

    def has(self, index: int) -> bool:
        """Whether an item was read, and can be given back as it was."""
        return self.faithful and bool(self._have[index])

    def one(self, index: int) -> Any:
        """Return an item that was read; a copy."""
        return self._as_given(np.array(self._rows[index]))

    def take(self, indices: IntArray, read: Callable[[int], Any]) -> Any:
        """Stack items, and read those that were not yet."""
        for index in dict.fromkeys(indices[~self._have[indices]].tolist()):
            item = read(index)
            row = to_numpy(item)
            kind = str(item.dtype) if is_tensor(item) else str(row.dtype)
            if row.shape != self._rows.shape[1:] or kind != self._type or is_tensor(item) != self._like_tensor:
                self.fits = False  # items of several types are stacked as the library does
                return stacked([read(int(each)) for each in indices])
            self._rows[index] = row
            self._have[index] = True
        return self._as_given(np.asarray(self._rows[indices]))

    def _as_given(self, rows: Any) -> Any:
        if not self._like_tensor:
            return rows
        import torch

        return torch.from_numpy(rows)


def stacked(items: list[Any]) -> Any:
    """Stack items: a tensor where they are tensors, else an array."""
    if is_tensor(items[0]):
        import torch

        return torch.stack(items)
    return np.stack([np.asarray(item) for item in items])


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
