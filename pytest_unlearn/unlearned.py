"""`unlearn`: the method run on any deletion request, each request once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_unlearn.task import UnlearningTask

KEPT_REQUESTS = 32  # how many answers are kept, each with its models


@dataclass(frozen=True, repr=False)
class UnlearnedRequest:
    """A deletion request and the model it left behind; prints in one line, as Hypothesis shows values."""

    model: Any
    task: UnlearningTask

    def __repr__(self) -> str:
        indices = [int(index) for index in self.task.forget.indices]
        shown = ", ".join(map(str, indices[:6])) + (", ..." if len(indices) > 6 else "")
        return f"<UnlearnedRequest: {len(indices)} forgotten: {shown}>"


class Unlearn:
    """Callable `unlearn(forget_indices) -> UnlearnedRequest`; the same request twice is answered once."""

    def __init__(self, make_task: Callable[[tuple[int, ...]], UnlearningTask], unlearner: Any) -> None:
        self._make_task, self._unlearner = make_task, unlearner
        self._answer = lru_cache(maxsize=KEPT_REQUESTS)(self._run)

    def __call__(self, forget_indices: Iterable[int]) -> UnlearnedRequest:
        """Run the method on one request."""
        return self._answer(tuple(sorted(int(index) for index in forget_indices)))

    def __repr__(self) -> str:
        return "<unlearn: runs the unlearner on a deletion request>"

    def _run(self, indices: tuple[int, ...]) -> UnlearnedRequest:
        task = self._make_task(indices)
        return UnlearnedRequest(task.unlearn(self._unlearner), task)
