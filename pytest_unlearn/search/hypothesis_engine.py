"""Have Hypothesis draw deletion requests until one is confirmed to fail, and make that one smaller."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from pytest_unlearn.core.progress import Progress, told
from pytest_unlearn.search.budget import Budget
from pytest_unlearn.search.confirmation import Attempt, Evaluate, confirm_suspicion
from pytest_unlearn.search.request import ForgetRequest
from pytest_unlearn.search.verdict import Search

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

MOST_SHRINKING = 40
MOST_REQUESTS = 10_000  # where the budget is not a number of them
MOST_DRAWS = 1_000_000  # where not all of them are due
PATIENCE = 2_000  # draws in a row that are not due, after which none will be

Due = Callable[[ForgetRequest, Collection[ForgetRequest]], bool]


def search_requests(
    requests: SearchStrategy[ForgetRequest],
    look: Evaluate,
    budget: Budget,
    progress: Progress,
    *,
    key: str = "",
    seed: int | None = None,
    due: Due | None = None,
) -> Search:
    """Search until a request is confirmed to fail or the budget is spent; then make it smaller.

    Args:
        requests: what to draw from.
        look: at a request, in a stage; the confirmation alone counts.
        budget: how many requests, trainings or seconds; making one smaller takes up to 40 more requests.
        progress: shows what is searched.
        key: names the test in Hypothesis's example database.
        seed: of the draws; see `explore`.
        due: which draws are tried; see `explore`.
    """
    failing = False

    def attempt(request: ForgetRequest) -> Attempt:
        nonlocal failing
        seen = confirm_suspicion(look, request, settle=not failing)
        if not failing:
            tell(seen.result)
        failing = failing or seen.fails
        return seen

    with told(progress, budget.requests, "searching requests", str) as tell:
        return search_of(explore(requests, attempt, budget=budget, key=key, seed=seed, due=due))


def search_of(tried: list[Attempt]) -> Search:
    """Read attempts as a search: those up to the first failure, and the smallest one that it was shrunk to."""
    failing = [seen for seen in tried if seen.fails]
    if not failing:
        return Search(tuple(tried))
    searched = tried.index(failing[0]) + 1
    smallest = min(failing, key=lambda seen: (seen.result.examples, len(repr(seen.result.request))))
    return Search(tuple(tried[:searched]), shrinking=len(tried) - searched, failure=smallest)


def explore(
    requests: SearchStrategy[ForgetRequest],
    attempt: Callable[[ForgetRequest], Attempt],
    *,
    budget: Budget,
    key: str = "",
    seed: int | None = None,
    due: Due | None = None,
    shrinking: int = MOST_SHRINKING,
) -> list[Attempt]:
    """Attempt requests until one fails, then ever simpler ones; every attempt, in order.

    Args:
        requests: what to draw from.
        attempt: tries a request; asked once of each.
        budget: what may be spent until one fails; the first is tried in any case.
        key: names the test in Hypothesis's example database.
        seed: of the draws, which then depend on nothing else and are kept in no database.
        due: which draws are tried, given those that were; all by default.
        shrinking: how many simpler requests are tried.

    Raises:
        Exception: what Hypothesis itself finds wrong, such as a strategy that yields nothing.
    """
    from hypothesis import HealthCheck, Phase, Verbosity, given, settings
    from hypothesis import seed as seeded
    from hypothesis.errors import HypothesisException, Unsatisfiable

    exploration = _Exploration(attempt, budget, due, shrinking)

    def of_any(request: ForgetRequest) -> None:
        exploration.test(request)

    options: dict[str, Any] = {"phases": [phase for phase in Phase if phase is not Phase.explain]}
    if seed is not None:
        options = {"phases": [Phase.generate, Phase.shrink], "database": None, "verbosity": Verbosity.quiet}
    elif os.environ.get("CI"):
        options |= {"derandomize": True, "database": None}
    run = settings(
        max_examples=MOST_DRAWS if due is not None else budget.requests or MOST_REQUESTS,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        **options,
    )(given(requests)(of_any))
    run.hypothesis.inner_test._hypothesis_internal_add_digest = key.encode()  # type: ignore[attr-defined]
    run = run if seed is None else seeded(seed)(run)
    while exploration.advances():
        try:
            run()
        except (_Spent, Unsatisfiable):
            break
        except HypothesisException:
            raise
        except Exception:
            if not exploration.failed:
                raise
        if seed is None or not exploration.failed:
            break
    return list(exploration.tried.values())


class _Spent(BaseException):
    """Ends Hypothesis's run: it takes an Exception for a failure of the test."""


class _Exploration:
    """The requests attempted so far. `test` is what Hypothesis calls, over and over, on what it draws."""

    def __init__(
        self, attempt: Callable[[ForgetRequest], Attempt], budget: Budget, due: Due | None, shrinking: int
    ) -> None:
        self.attempt, self.budget, self.due, self.shrinking = attempt, budget, due, shrinking
        self.tried: dict[ForgetRequest, Attempt] = {}
        self.started = time.monotonic()
        self._before = -1  # how many were tried when the last run began
        self._passed = 0  # draws in a row that were not attempted
        self._shrinks = False  # whether this run has come to the failure

    @property
    def failed(self) -> bool:
        """Whether an attempt failed."""
        return any(seen.fails for seen in self.tried.values())

    def advances(self) -> bool:
        """Begin a run, unless the last attempted nothing.

        Hypothesis shrinks for five minutes at most. Another run with the same seed comes to the same place at once,
        for nothing is attempted twice, and goes on from there.
        """
        before, self._before, self._shrinks = self._before, len(self.tried), False
        return before < len(self.tried)

    def over(self) -> bool:
        """Whether nothing more is to be attempted, in the search or, after a failure, in making it smaller."""
        every = list(self.tried.values())
        first = next((place for place, seen in enumerate(every) if seen.fails), None)
        if first is not None:
            return len(every) - first > self.shrinking
        trainings, seconds = sum(seen.result.trainings for seen in every), time.monotonic() - self.started
        return bool(every) and self.budget.spent(requests=len(every), trainings=trainings, seconds=seconds)

    def test(self, request: ForgetRequest) -> None:
        """Raise where a request fails."""
        from hypothesis import assume, target

        if request not in self.tried:
            if self.over() or self._passed > PATIENCE:
                raise _Spent
            if not self._wanted(request):
                self._passed += 1
                return
            self._passed = 0
            self.tried[request] = self.attempt(request)
        seen = self.tried[request]
        if math.isfinite(seen.result.excess):
            target(seen.result.excess, label="how far beyond what was claimed")
        assume(not seen.result.obstacle)  # counted, and of no use to the search
        if seen.fails:
            self._shrinks = True
            # Hypothesis tells failures apart by type and line: raised here, one is as good as another.
            raise AssertionError(str(seen.result)) from seen.error

    def _wanted(self, request: ForgetRequest) -> bool:
        """Whether a new request is due in the search or, after a failure, may be a simpler one."""
        if self.due is None:
            return True
        return self._shrinks if self.failed else self.due(request, self.tried)
