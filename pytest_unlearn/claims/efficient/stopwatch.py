"""Timed runs: own views, alone on the clock, with their examples counted."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_unlearn.core.evidence import IntArray
from pytest_unlearn.models.adapters import estimator_scores, is_estimator, ready
from pytest_unlearn.task import UnlearningTask, View
from pytest_unlearn.training.seeding import isolated

Clock = Callable[[], float]  # seconds from any beginning


@dataclass(frozen=True, slots=True, kw_only=True)
class Lap:
    """Seconds of one run and the examples it read, None where all at once."""

    seconds: float
    read: int | None


class Counted:
    """A view that counts the examples read from it one by one.

    Whoever takes whole arrays may go over them any number of times, unseen: then the count is unknown (`rows` None).
    """

    def __init__(self, view: View) -> None:
        # Neither the task's own view nor its examples, of which a copy reads its own: what these have kept in memory
        # would make the second reader look faster.
        self._view = View(view.name, copy.copy(view.examples), view.indices)
        self.rows: int | None = 0

    def __len__(self) -> int:
        return len(self._view)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        item = self._view[index]
        if self.rows is not None:
            self.rows += 1
        return item

    def __iter__(self) -> Iterator[tuple[Any, int]]:
        return (self[index] for index in range(len(self)))

    @property
    def labels(self) -> IntArray:
        """The labels alone, which is no reading of examples."""
        return self._view.labels

    def loader(self, batch_size: int = 256) -> Any:
        """Return a DataLoader over this view in fixed order."""
        from torch.utils.data import DataLoader

        return DataLoader(self, batch_size=batch_size, shuffle=False)  # type: ignore[arg-type]

    def __getattr__(self, name: str) -> Any:
        """Hand out other attributes of a view, whose bulk reads go uncounted."""
        if name.startswith("__") or name in ("_view", "rows"):
            raise AttributeError(name)
        found = getattr(self._view, name)
        if name not in ("name", "digest", "task"):
            self.rows = None
        return found


def time_method(unlearner: Any, task: UnlearningTask, seed: int, clock: Clock) -> Lap:
    """Time one run of a method on the task's original; what it makes is thrown away."""
    retain, forget = Counted(task.retain), Counted(task.forget)
    original = task.original
    return _timed(lambda: unlearner(original, retain, forget, seed=seed), task, seed, clock, retain, forget)


def time_recipe(task: UnlearningTask, seed: int, clock: Clock) -> Lap:
    """Time one retraining on what the task retains; what it makes is thrown away."""
    retain = Counted(task.retain)
    return _timed(lambda: task.recipe(retain, seed=seed), task, seed, clock, retain)


def _timed(run: Callable[[], Any], task: UnlearningTask, seed: int, clock: Clock, *read: Counted) -> Lap:
    with isolated(seed):  # as the task trains its references: seeded, on one thread
        _finish()
        started = clock()
        made = run()
        _first_answer(made, task)
        _finish()
        seconds = clock() - started
    if made is None:
        raise TypeError("a run that was timed returned None: a method and a recipe must return the model.")
    counts = [view.rows for view in read]
    return Lap(seconds=seconds, read=None if None in counts else sum(count or 0 for count in counts))


def _first_answer(made: Any, task: UnlearningTask) -> None:
    """Ask about one example: deferred work is part of making the model."""
    one = task.retain.inputs(np.arange(1))
    if is_estimator(made):
        estimator_scores(made)(one)
    elif callable(made):
        with ready(made, task.device) as ask:
            ask(one)


def _finish() -> None:
    """Wait for pending work of an accelerator."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.synchronize()
