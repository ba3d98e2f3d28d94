"""The training set with canaries in it, in the form that the training set came in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_unlearn.core.evidence import FloatArray, IntArray
from pytest_unlearn.data.dataset import Examples, is_tensor


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingChange:
    """The change that canaries make to the training set, by original position.

    `rows` become canaries: with the labels in `labels`, and, unless None, with `inputs` in place of their own.
    `left_out` are not trained on at all. `plan` is what the audit needs later.
    """

    rows: IntArray
    labels: IntArray
    plan: Any
    inputs: Any = None
    left_out: IntArray | None = None


class PlantedTrain:
    """A dataset of `(x, y)`: another one with items replaced and left out."""

    def __init__(self, source: Examples, rows: IntArray, labels: IntArray, inputs: Mapping[int, Any]) -> None:
        self.source, self.rows, self.labels, self.replaced = source, rows, labels, inputs

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"train has {len(self)} examples; there is no index {index}")
        row = int(self.rows[index])
        x = self.replaced[row] if row in self.replaced else self.source[row][0]
        return x, int(self.labels[index])


def planted_train(given: Any, examples: Examples, change: TrainingChange) -> tuple[Any, IntArray]:
    """Return what to train on, order kept, and the canaries' positions in it."""
    kept = np.ones(len(examples), dtype=bool)
    if change.left_out is not None:
        kept[change.left_out] = False
    rows = np.flatnonzero(kept).astype(np.int64)
    labels = examples.labels.copy()
    labels[change.rows] = change.labels
    indices = np.sort(np.searchsorted(rows, change.rows)).astype(np.int64)
    tensors = getattr(given, "tensors", None)
    if tensors is None and not isinstance(given, tuple):
        replaced = {} if change.inputs is None else dict(zip(change.rows.tolist(), change.inputs, strict=True))
        return PlantedTrain(examples, rows, labels[rows], replaced), indices
    inputs = examples.inputs(np.arange(len(examples)))  # a copy: fancy indexing
    if change.inputs is not None:
        inputs[change.rows] = change.inputs
    pair = (inputs[rows], _like(given[1] if tensors is None else tensors[1], labels[rows]))
    if tensors is None:
        return pair, indices
    from torch.utils.data import TensorDataset

    return TensorDataset(*pair), indices


def moved(inputs: Any, shift: FloatArray) -> Any:
    """Add a shift to inputs, in their own type and precision."""
    if is_tensor(inputs):
        import torch

        return inputs + torch.as_tensor(shift).to(inputs.dtype)
    return (inputs + shift).astype(inputs.dtype)


def _like(given: Any, labels: IntArray) -> Any:
    if is_tensor(given):
        import torch

        return torch.as_tensor(labels).to(given.dtype)
    return labels.astype(np.asarray(given).dtype)
