"""Hypothesis draws deletion requests until one fails, and shrinks that one."""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from pytest_unlearn.core.progress import Progress, told
from pytest_unlearn.search.budget import Budget
from pytest_unlearn.search.confirmation import Attempt, Evaluate, confirm_suspicion
from pytest_unlearn.search.request import ForgetRequest
from pytest_unlearn.search.verdict import Search

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

MOST_SHRINKING = 40
BISECTIONS = 4  # of these, between the smallest that failed and half of it
MOST_DRAWS = 100_000  # where the budget is not a number of requests
PATIENCE = 2_000  # draws in a row that are not due, after which none will be

Due = Callable[[ForgetRequest, Collection[ForgetRequest]], bool]
Resized = Callable[[ForgetRequest, int], Iterable[ForgetRequest]]


def search_requests(
    requests: SearchStrategy[ForgetRequest],
    evaluate: Evaluate,
    budget: Budget,
    progress: Progress,
    *,
    key: str = "",
    seed: int | None = None,
    due: Due | None = None,
    resized: Resized | None = None,
) -> Search:
    """Search until a request is confirmed to fail, and make it smaller.

    `evaluate` is called with a request and a stage, of which the confirmation alone counts; the rest as in `explore`.
    `resized` lists requests of so many examples that are tried in a failure's place, the first of them as like it as
    can be; by default Hypothesis shrinks it, within what `requests` draws.
    """
    failing = False

    def attempt(request: ForgetRequest) -> Attempt:
        nonlocal failing
        done = confirm_suspicion(evaluate, request, explain=not failing)
        if not failing:
            tell(done.result)
        failing = failing or done.fails
        return done

    with told(progress, budget.requests, "searching requests", str) as tell:
        shrinking = 0 if resized else MOST_SHRINKING
        tried = explore(requests, attempt, budget=budget, key=key, seed=seed, due=due, shrinking=shrinking)
        return search_of(tried if resized is None else _shrunk(tried, attempt, resized))


def search_of(tried: list[Attempt]) -> Search:
    """Read attempts as a search: the first failure, and the smallest after it."""
    failing = [attempt for attempt in tried if attempt.fails]
    if not failing:
        return Search(tuple(tried))
    searched = tried.index(failing[0]) + 1
    smallest = min(failing, key=lambda attempt: (attempt.result.examples, len(repr(attempt.result.request))))
    return Search(tuple(tried[:searched]), shrinking=len(tried) - searched, failure=smallest)


def _shrunk(tried: list[Attempt], attempt: Callable[[ForgetRequest], Attempt], resized: Resized) -> list[Attempt]:
    """Attempt smaller requests: of half the size as long as one fails, then between."""
    done = list(tried)

    def left() -> int:
        return len(tried) + MOST_SHRINKING - len(done)

    def first_failing(size: int, requests: Iterable[ForgetRequest], keep: int) -> bool:
        before = {one.result.request for one in done}
        for request in (one for one in requests if one not in before):
            if left() <= keep:
                return False
            done.append(attempt(request))
            if done[-1].fails and done[-1].result.examples <= size:
                return True
        return False

    while (smallest := search_of(done).failure) is not None:
        half = smallest.result.examples // 2
        if not half or not first_failing(half, resized(smallest.result.request, half), keep=BISECTIONS):
            break
    if smallest is not None:
        low, high = smallest.result.examples // 2, smallest.result.examples
        for _ in range(BISECTIONS):
            middle = (low + high) // 2
            if middle <= low or high - low <= high // 20:
                break
            fails = first_failing(middle, _alike(resized, smallest.result.request, middle), keep=0)
            low, high = (low, middle) if fails else (middle, high)
    return done


def _alike(resized: Resized, request: ForgetRequest, size: int) -> list[ForgetRequest]:
    """Return the request that is most like another, of its own kind."""
    return [one for one in resized(request, size) if bool(one.parts) == bool(request.parts)][:1]


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
    """Attempt requests until one fails, then simpler ones; return all in order.

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
    from hypothesis import HealthCheck, Phase, Verbosity, assume, given, settings, target
    from hypothesis import seed as seeded
    from hypothesis.errors import HypothesisException, Unsatisfiable

    started = time.monotonic()
    tried: dict[ForgetRequest, Attempt] = {}
    passed, shrinks = 0, False  # draws in a row that were not due; whether this run has come to the failure

    def over(first_failure: int | None) -> bool:
        if first_failure is not None:
            return len(tried) - first_failure > shrinking
        trainings = sum(attempt.result.trainings for attempt in tried.values())
        seconds = time.monotonic() - started
        return bool(tried) and budget.spent(requests=len(tried), trainings=trainings, seconds=seconds)

    def first_failure() -> int | None:
        return next((place for place, attempt in enumerate(tried.values()) if attempt.fails), None)

    def of_any(request: ForgetRequest) -> None:
        nonlocal passed, shrinks
        if request not in tried:
            failure = first_failure()
            if over(failure) or passed > PATIENCE:
                raise _Spent
            if due is not None and not (due(request, tried) if failure is None else shrinks):
                passed += 1
                return
            tried[request] = attempt(request)
        passed, done = 0, tried[request]
        if math.isfinite(done.result.excess):
            target(done.result.excess, label="how far beyond what was claimed")
        assume(not done.result.obstacle)  # counted, and of no use to the search
        if done.fails:
            shrinks = True
            raise AssertionError(str(done.result)) from done.error

    # Hypothesis tells failures apart by type and line: raised here, one failure is as good as another.
    options: dict[str, Any] = {"phases": [phase for phase in Phase if phase is not Phase.explain]}
    if seed is not None:
        options = {"phases": [Phase.generate, Phase.shrink], "database": None, "verbosity": Verbosity.quiet}
    elif os.environ.get("CI"):
        options |= {"derandomize": True, "database": None}
    run = settings(
        max_examples=MOST_DRAWS if due is not None else budget.requests or MOST_DRAWS,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        **options,
    )(given(requests)(of_any))
    run.hypothesis.inner_test._hypothesis_internal_add_digest = key.encode()  # type: ignore[attr-defined]
    before = -1
    # Hypothesis shrinks for five minutes at most. A run with the same seed comes to the same place at once, for nothing
    # is attempted twice, and goes on from there.
    while before < 0 or (seed is not None and first_failure() is not None and before < len(tried)):
        before, passed, shrinks = len(tried), 0, False
        try:
            with contextlib.nullcontext() if seed is None else _no_constants():
                (run if seed is None else seeded(seed)(run))()
        except (_Spent, Unsatisfiable):
            break
        except HypothesisException:
            raise
        except Exception:
            if first_failure() is None:
                raise
    return list(tried.values())


@contextlib.contextmanager
def _no_constants() -> Iterator[None]:
    """Keep Hypothesis from drawing numbers of the modules that happen to be loaded."""
    try:
        from hypothesis.internal.conjecture.providers import HypothesisProvider
    except ImportError:  # older versions draw none
        HypothesisProvider = None  # type: ignore[assignment, misc]
    draw = getattr(HypothesisProvider, "_maybe_draw_constant", None)
    if draw is None:
        yield
        return
    HypothesisProvider._maybe_draw_constant = lambda *_, **__: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        HypothesisProvider._maybe_draw_constant = draw  # type: ignore[method-assign]


class _Spent(BaseException):
    """Ends Hypothesis's run: it takes an Exception for a failure of the test."""
