"""`unlearn`: the method run on any deletion request, each request once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pytest_unlearn.search.request import ForgetRequest

if TYPE_CHECKING:
    from pytest_unlearn.task import UnlearningTask

Steps = tuple[tuple[int, ...], ...]

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
    """Callable `unlearn(request) -> UnlearnedRequest`; the same request twice is answered once.

    A request is a `ForgetRequest`, or the indices to forget; to name one twice changes nothing. Of a sequence, each
    step is run on what the last one left.
    """

    def __init__(
        self,
        make_task: Callable[[tuple[int, ...]], UnlearningTask],
        unlearner: Any,
        steps_of: Callable[[ForgetRequest], Steps],
        in_steps: Callable[[Steps], Any],
    ) -> None:
        self._make_task, self._unlearner = make_task, unlearner
        self._steps_of, self._in_steps = steps_of, in_steps
        self._answer = lru_cache(maxsize=KEPT_REQUESTS)(self._run)

    def __call__(self, request: ForgetRequest | Iterable[int]) -> UnlearnedRequest:
        """Run the method on one request."""
        if isinstance(request, ForgetRequest):
            return self._answer(self._steps_of(request))
        return self._answer((tuple(sorted({int(index) for index in request})),))

    def __repr__(self) -> str:
        return "<unlearn: runs the unlearner on a deletion request>"

    def _run(self, steps: Steps) -> UnlearnedRequest:
        task = self._make_task(tuple(sorted({index for step in steps for index in step})))
        return UnlearnedRequest(task.unlearn(self._unlearner) if len(steps) == 1 else self._in_steps(steps), task)
