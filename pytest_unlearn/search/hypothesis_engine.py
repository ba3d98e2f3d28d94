"""Have Hypothesis draw deletion requests, and shrink one that fails; its example database keeps what failed."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pytest_unlearn.search.budget import Budget
from pytest_unlearn.search.confirmation import Attempt
from pytest_unlearn.search.request import ForgetRequest
from pytest_unlearn.search.survives import MOST_SHRINKING

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

MOST_DRAWS = 10_000  # where the budget is not a number of requests


def budget_spent(budget: Budget, tried: list[Attempt], started: float) -> bool:
    """Whether these attempts, and the time since `started`, use up a budget."""
    trainings = sum(seen.trial.trainings for seen in tried)
    return budget.spent(requests=len(tried), trainings=trainings, seconds=time.monotonic() - started)


class _Spent(BaseException):
    """Ends Hypothesis's run: it takes an Exception for a failure of the test."""


def explore(
    requests: SearchStrategy[ForgetRequest],
    attempt: Callable[[ForgetRequest], Attempt],
    *,
    spent: Callable[[list[Attempt]], bool],
    draws: int | None,
    key: str,
    shrinking: int = MOST_SHRINKING,
) -> list[Attempt]:
    """Attempt requests until one fails, then ever simpler ones; every attempt, in order.

    Args:
        requests: what to draw from.
        attempt: tries a request; asked once of each.
        spent: whether the search is over after these attempts.
        draws: how many requests Hypothesis may draw.
        key: names the test in Hypothesis's example database.
        shrinking: how many simpler requests are tried.

    Raises:
        Exception: what Hypothesis itself finds wrong, such as a strategy that yields nothing.
    """
    from hypothesis import HealthCheck, Phase, assume, given, settings, target
    from hypothesis.errors import HypothesisException, Unsatisfiable

    tried: dict[ForgetRequest, Attempt] = {}

    def over() -> bool:
        """Whether nothing more is to be attempted, in the search or, after a failure, in making it smaller."""
        every = list(tried.values())
        first = next((place for place, seen in enumerate(every) if seen.fails), None)
        if not every:
            return False
        return spent(every) if first is None else len(every) - first > shrinking

    def of_any(request: ForgetRequest) -> None:
        if request not in tried:
            if over():
                raise _Spent
            tried[request] = attempt(request)
        seen = tried[request]
        if math.isfinite(seen.trial.excess):
            target(seen.trial.excess, label="how far beyond what was claimed")
        assume(not seen.trial.obstacle)  # counted, and of no use to the search
        if seen.fails:
            raise AssertionError(str(seen.trial)) from seen.error

    # Hypothesis tells failures apart by type and line: raised here, one failure is as good as another.
    options: dict[str, Any] = {"derandomize": True, "database": None} if os.environ.get("CI") else {}
    run = settings(
        max_examples=draws or MOST_DRAWS,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        phases=[phase for phase in Phase if phase is not Phase.explain],
        **options,
    )(given(requests)(of_any))
    run.hypothesis.inner_test._hypothesis_internal_add_digest = key.encode()  # type: ignore[attr-defined]
    try:
        run()
    except _Spent:
        pass
    except Unsatisfiable:
        pass
    except HypothesisException:
        raise
    except Exception:
        if not any(seen.fails for seen in tried.values()):
            raise
    return list(tried.values())
