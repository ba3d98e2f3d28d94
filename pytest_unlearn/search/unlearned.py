"""`unlearn`: the method run on a request, once for each request."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pytest_unlearn.search.dataset_stats import DatasetStats
from pytest_unlearn.search.families import resolve
from pytest_unlearn.search.request import ForgetRequest
from pytest_unlearn.search.screening import unlearn_in_steps
from pytest_unlearn.task import UnlearningTask

KEPT_REQUESTS = 32  # how many answers are kept, each with its models


@dataclass(frozen=True, repr=False)
class UnlearnedRequest:
    """A deletion request and its unlearned model; prints in one line."""

    model: Any
    task: UnlearningTask

    def __repr__(self) -> str:
        indices = [int(index) for index in self.task.forget.indices]
        shown = ", ".join(map(str, indices[:6])) + (", ..." if len(indices) > 6 else "")
        return f"<UnlearnedRequest: {len(indices)} forgotten: {shown}>"


class Unlearn:
    """Callable `unlearn(request) -> UnlearnedRequest`, cached by request.

    A request is a `ForgetRequest`, or the indices to forget; to name one twice changes nothing. Of a sequence, each
    step is run on what the last one left.
    The task's original forgets, and its recipe trains the references of each request.
    """

    def __init__(self, task: UnlearningTask, unlearner: Any) -> None:
        self.task, self.unlearner, self._stats = task, unlearner, DatasetStats(task)
        self._answer = lru_cache(maxsize=KEPT_REQUESTS)(self._run)

    def __call__(self, request: ForgetRequest | Iterable[int]) -> UnlearnedRequest:
        """Run the method on one request."""
        if isinstance(request, ForgetRequest):
            return self._answer(tuple(tuple(step.tolist()) for step in resolve(request, self._stats)))
        return self._answer((tuple(sorted({int(index) for index in request})),))

    def __repr__(self) -> str:
        return "<unlearn: runs the unlearner on a deletion request>"

    def _run(self, steps: tuple[tuple[int, ...], ...]) -> UnlearnedRequest:
        task = self.task.with_request(sorted({index for step in steps for index in step}))
        if len(steps) == 1:
            return UnlearnedRequest(task.unlearn(self.unlearner), task)
        return UnlearnedRequest(unlearn_in_steps(self.task, self.unlearner, steps, self.task.seed), task)
