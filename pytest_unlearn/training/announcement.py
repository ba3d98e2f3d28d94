"""Say which model is being trained, and how long the rest will take."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_unlearn.core.progress import duration

if TYPE_CHECKING:
    from pytest_unlearn.training.runner import Job, Trained


class Announcement:
    """Follow a list of trainings, and describe where they stand.

    Args:
        jobs: all models that are wanted.
        waiting: positions of those that have to be trained.
        at_once: how many are trained at the same time; -1 for one a core.
        seconds: that trainings of the same recipe took just now. Where there are none, how long the rest takes is said
            from the first that is done: times of another day and another load mislead.
    """

    def __init__(
        self, jobs: Sequence[Job], waiting: Sequence[int], at_once: int, seconds: Sequence[float] = ()
    ) -> None:
        self._jobs, self._left = jobs, list(waiting)
        self._at_once = min(os.cpu_count() or 1 if at_once < 0 else at_once, len(waiting) or 1)
        self._seconds = [one for one in seconds if one > 0]
        self._unit = jobs[0].unit if jobs else "model"
        self._current = waiting[0] if waiting else 0
        self._started = time.monotonic()
        self._last = self._current

    def begin(self, index: int) -> None:
        """Note that this model is being trained now."""
        self._current, self._started = index, time.monotonic()

    def done(self, index: int, trained: Trained) -> None:
        """Note that this model is there."""
        self._left.remove(index)
        self._last = index
        self._seconds.append(trained.worked or trained.seconds)
        if self._left and self._at_once == 1:
            self._current = self._left[0]

    def line(self, trained: Trained) -> str:
        """Say how long a training took, and nothing of what came from the store meanwhile."""
        job = self._jobs[self._last]
        return f"{job.doing} took {trained.worked:.1f} s" if trained.worked else ""

    def now(self) -> str:
        """Say what is being trained, for how long, and how long all of it will take."""
        took = time.monotonic() - self._started
        at_once = min(self._at_once, len(self._left))
        doing = self._jobs[self._current].doing if at_once <= 1 else self._several(at_once)
        remark = self._jobs[self._current].remark
        return f"{doing}, for {duration(took)} so far; {self._remaining(took)}{f' ({remark})' if remark else ''}"

    def _several(self, at_once: int) -> str:
        if self._unit == "model":
            return f"training {at_once} models at once"
        there = len(self._jobs) - len(self._left)
        return f"{at_once} runs at once, {there} of {len(self._jobs)} there"

    def _remaining(self, took: float) -> str:
        count = len(self._left)
        models = f"1 {self._unit}" if count == 1 else f"{count} {self._unit}s"
        rounds = -(-count // self._at_once)
        if not self._seconds:
            return f"{models} to {'train' if self._unit == 'model' else 'make'}"
        each = sum(self._seconds) / len(self._seconds)
        rest = each * rounds - (took if self._at_once == 1 else 0)
        return f"about {duration(max(rest, 1))} left for {models}"
