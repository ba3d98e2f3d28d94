"""@stress: a test of one request becomes a search for a failing request."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from pytest_unlearn.search.budget import Budget, as_budget
from pytest_unlearn.search.property_search import audit_property
from pytest_unlearn.search.request import ForgetRequest, as_request
from pytest_unlearn.search.strategies import available, check_sizes
from pytest_unlearn.search.unlearned import UnlearnedRequest
from pytest_unlearn.testing.failures import AuditFailure, raise_unless_proven

Test = Callable[..., Any]
HANDED = "unlearned"
NEEDED = ("unlearner", "unlearning_task")
NEVER_RUN = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)


def stress(
    test: Test | None = None,
    *,
    budget: int | timedelta | Budget = 60,
    families: Sequence[str] | None = None,
    sizes: tuple[int, int] | None = None,
    only: ForgetRequest | None = None,
) -> Any:
    """Put a test of one deletion request to many, and look for one that it fails on.

        @stress(budget=60, families=["random", "class-fraction", "sequence"])
        def test_any_request_is_forgotten(unlearned):
            assert_forgotten(unlearned.model, unlearned.task.forget, max_mia_auc=0.6)

    Hypothesis draws the requests and makes a failing one smaller; it fails the test only if a fresh look confirms it,
    with other seeds, controls and references. The failure prints the line that looks at this request again. Drawn
    at random, but always alike in CI; what failed is tried first the next time (Hypothesis's example database). An
    audit that fails counts, whether or not the test lets it raise; requests that the test skips or assumes away count
    as tried. A test that makes no audit fails on what it asserts, and is no evidence that anything was forgotten.

    Args:
        test: the test of one request, given by the decorator.
        budget: how many requests to try, for how long (a `timedelta`), or a `Budget` of requests, trainings or
            seconds. Making a failing one smaller takes up to 40 more.
        families: names of request families; by default all that the split allows.
        sizes: the smallest and largest request; by default from 1 to a fifth of train.
        only: look at this one request, as a failure prints it.

    Returns:
        A test with the fixtures of the one given, and `unlearner` and `unlearning_task`. The one given is called with
        `unlearned`: the model that the method left, and the task of that request.

    Raises:
        TypeError: a test that takes no `unlearned`, is asynchronous or yields.
        ValueError: a budget of nothing, families or sizes that are none.
        AuditFailure: when the test runs, from what the given test raised on the request; it carries `.evidence`.
    """
    as_budget(budget)
    if test is None:
        return functools.partial(stress, budget=budget, families=families, sizes=sizes, only=only)
    if not callable(test) or not hasattr(test, "__name__") or isinstance(test, type):
        raise TypeError(f"@stress takes its settings by name, such as @stress(budget=60), not {test!r}.")
    if any(kind(test) for kind in NEVER_RUN):
        raise TypeError(f"{test.__name__} is asynchronous or yields: called as it is, nothing of it would run.")
    if only is not None:
        as_request(only)
    if sizes is not None:
        check_sizes(sizes)
    available(families, groups=True)
    signature = inspect.signature(test)
    if HANDED not in signature.parameters:
        raise TypeError(f"@stress hands over `{HANDED}`, a model and its task, which {test.__name__} does not take.")
    given = [parameter for name, parameter in signature.parameters.items() if name != HANDED]
    more = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in NEEDED if name not in signature.parameters
    ]

    @functools.wraps(test)
    def any_request(*args: Any, **fixtures: Any) -> None:
        __tracebackhide__ = True
        own = {name: value for name, value in fixtures.items() if name in signature.parameters}

        def holds(unlearned: UnlearnedRequest) -> None:
            if test(*args, **{HANDED: unlearned}, **own) is not None:
                raise TypeError(f"{test.__name__} returned a value, which nobody looks at: assert what must hold.")

        found = audit_property(
            holds,
            fixtures["unlearner"],
            fixtures["unlearning_task"],
            families=families,
            sizes=sizes,
            budget=budget,
            only=only,
            key=f"{test.__module__}.{test.__qualname__}",
        )
        if not found.audited and found.error is None:
            return  # like any other test; what the gate requires it does not prove
        try:
            raise_unless_proven(found.evidence)
        except AuditFailure as failure:
            raise failure from found.error

    any_request.__signature__ = inspect.Signature([*given, *more])  # type: ignore[attr-defined]
    any_request.searches_requests = True  # type: ignore[attr-defined] # the gate misses it if it does not run
    return any_request
