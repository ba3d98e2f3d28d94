"""Show the forget, retain, test and control parts of a task as datasets."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_unlearn.core.evidence import IntArray
from pytest_unlearn.data.class_names import Names, together
from pytest_unlearn.data.dataset import Examples, check_alike, to_numpy
from pytest_unlearn.data.kept_items import KEEP_BYTES
from pytest_unlearn.data.tables import concatenate, is_table

if TYPE_CHECKING:
    from torch.utils.data import DataLoader

    from pytest_unlearn.task import UnlearningTask

ASKED = ("forget", "controls", "test")  # views whose items every model is asked about


class View:
    """Show some examples of a dataset, in fixed order: `view[i]` is `(x, y)`.

    `indices` are positions in the dataset behind it (train for forget and retain); `labels` are int64.
    """

    def __init__(self, name: str, examples: Examples, indices: IntArray, task: UnlearningTask | None = None) -> None:
        self.name, self.examples, self.indices, self.task = name, examples, indices, task

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the task, which may hold what cannot be pickled."""
        return {**{name: value for name, value in self.__dict__.items() if name != "key"}, "task": None}

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"the {self.name} view has {len(self)} examples; there is no index {index}")
        return self.examples[int(self.indices[index])]

    def __iter__(self) -> Iterator[tuple[Any, int]]:
        return (self[index] for index in range(len(self)))

    def __repr__(self) -> str:
        return f"<{self.name}: {len(self)} examples>"

    @property
    def labels(self) -> IntArray:
        """Return the labels, shape (examples,)."""
        return self.examples.labels[self.indices]

    @property
    def names(self) -> Names | None:
        """Return the classes that labels number, where the labels are text."""
        return self.examples.names

    @cached_property
    def digest(self) -> str:
        """Digest the exact inputs and labels, in order."""
        return hashlib.sha256(self.examples.digests(self.indices).tobytes()).hexdigest()

    @cached_property
    def unordered_digest(self) -> str:
        """Digest inputs and labels as a set of examples, in any order and precision."""
        parts = self.examples.digests(self.indices, exact=False)
        return hashlib.sha256(np.sort(parts).tobytes()).hexdigest()

    @cached_property
    def key(self) -> tuple[str, int, bytes]:
        """Identify this view in this process, for as long as its dataset lives."""
        return self.name, id(self.examples), hashlib.sha256(self.indices.tobytes()).digest()

    def batches(self, batch_size: int) -> Iterator[Any]:
        """Yield the inputs, stacked, batch by batch."""
        for start in range(0, len(self), batch_size):
            yield self.inputs(np.arange(start, min(start + batch_size, len(self))))

    def inputs(self, positions: IntArray) -> Any:
        """Stack the inputs at some positions of this view."""
        return self.examples.inputs(self.indices[positions], keep=self._keep)

    def arrays(self) -> tuple[Any, IntArray]:
        """Return all of it as (X, y), y as class numbers.

        X is a frame, a sparse matrix or an array of texts where that was given, else a numpy array.
        """
        inputs = self.inputs(np.arange(len(self)))
        return inputs if is_table(inputs) else to_numpy(inputs), self.labels

    def resampled(self, seed: int) -> View:
        """Draw a bootstrap of this view: as many examples, with replacement."""
        draw = np.random.default_rng(seed).integers(len(self), size=len(self))
        return View(f"bootstrap of {self.name}", self.examples, np.sort(self.indices[draw]), self.task)

    def loader(self, batch_size: int = 256) -> DataLoader[Any]:
        """Make a DataLoader over this view in fixed order."""
        from torch.utils.data import DataLoader

        return DataLoader(self, batch_size=batch_size, shuffle=False)  # type: ignore[arg-type]

    @cached_property
    def _keep(self) -> bool:
        """Whether items stay at hand: those that audits ask about, and of others what memory holds."""
        if self.examples.in_memory:
            return False
        if self.name in ASKED or not len(self):
            return True
        return bool(to_numpy(self.examples.inputs(self.indices[:1], keep=True)).nbytes * len(self) <= KEEP_BYTES)


def joined(parts: Sequence[View], name: str) -> Examples:
    """Make examples of several views, in order; tables and class names stay."""
    first = parts[0]
    if not first.examples.is_table:
        return Examples(_Joined(*parts), name).like(first.examples, first.names)
    labels: Any = np.concatenate([part.labels for part in parts])
    if first.names is not None:
        labels = np.array(first.names)[labels]
    inputs = concatenate([part.arrays()[0] for part in parts])
    return Examples((inputs, labels), name).like(first.examples, first.names)


class _Joined:
    """Several views as one dataset."""

    def __init__(self, *parts: View) -> None:
        self.parts = parts

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts)

    def __getitem__(self, index: int) -> tuple[Any, int | str]:
        for part in self.parts:
            if index < len(part):
                x, label = part[index]
                return x, label if part.names is None else part.names[label]
            index -= len(part)
        raise IndexError(index)


def named_alike(view: View, other: View) -> tuple[View, View]:
    """Return two views with inputs in one form and classes in one numbering.

    Classes that only the other has come after those of the first.

    Raises:
        ValueError: only one of them has labels of text, or their inputs are not alike.
    """
    if view.examples is other.examples or (view.names is None and other.names is None and view.examples.frame is None):
        return view, other
    check_alike(view.examples, other.examples)
    every = together({view.name: view.names, other.name: other.names})
    names = every and (*(view.names or ()), *(name for name in every if name not in (view.names or ())))
    ours, theirs = (
        View(part.name, part.examples.like(view.examples, names), part.indices, part.task) for part in (view, other)
    )
    return view if ours.examples is view.examples else ours, theirs


def as_view(forget: Any, name: str) -> View:
    """Find the view behind a loader or a view, or make one of a dataset."""
    if isinstance(forget, View):
        return forget
    if isinstance(getattr(forget, "forget", None), View):
        raise TypeError(f"{name} is an {type(forget).__name__}: pass task.forget, or another of its views.")
    if hasattr(forget, "forget_indices"):
        raise TypeError(f"{name} is a {type(forget).__name__}: build an UnlearningTask of it, and pass task.forget.")
    dataset = getattr(forget, "dataset", None)
    if dataset is not None and hasattr(forget, "batch_size"):
        drawn, there = len(getattr(forget, "sampler", dataset)), len(dataset)
        if drawn != there:
            raise ValueError(
                f"the loader's sampler draws {drawn} of its dataset's {there} examples: pass a dataset of exactly the "
                "examples to audit, so that none is left out or counted twice."
            )
        return as_view(dataset, name)
    if isinstance(dataset, View):
        raise ValueError(
            f"this is a part of the task's {dataset.name} view: audit the whole view, or build a task for that request "
            "with split.with_forget(indices)."
        )
    examples = Examples(forget, name)
    return View(name, examples, np.arange(len(examples), dtype=np.int64))
