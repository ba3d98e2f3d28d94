"""Have Hypothesis draw deletion requests, and shrink one that fails; its example database keeps what failed."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_unlearn.evidence import Evidence
from pytest_unlearn.stress.requests import ForgetRequest
from pytest_unlearn.stress.search import MOST_SHRINKING
from pytest_unlearn.stress.trial import Trial

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

MOST_DRAWS = 10_000  # where the budget is not a number of requests


@dataclass(frozen=True)
class Attempt:
    """A trial of one request, and what was raised if it failed."""

    trial: Trial
    error: Exception | None = None
    evidence: Evidence | None = None

    def cleared(self) -> Attempt:
        """The same attempt after a fresh look has not borne it out."""
        return Attempt(replace(self.trial, suspicious=False))


class _Spent(BaseException):
    """Ends Hypothesis's run: it takes an Exception for a failure of the test."""


def explore(
    requests: SearchStrategy[ForgetRequest],
    attempt: Callable[[ForgetRequest], Attempt],
    *,
    known: dict[ForgetRequest, Attempt],
    spent: Callable[[list[Attempt]], bool],
    draws: int | None,
    key: str,
    shrinking: int = MOST_SHRINKING,
) -> list[Attempt]:
    """Attempt requests until one fails, then ever simpler ones; every new attempt, in order.

    Args:
        requests: what to draw from.
        attempt: tries a request; asked once of each.
        known: what was attempted before, to which the new attempts are added.
        spent: whether the search is over after these new attempts.
        draws: how many requests Hypothesis may draw.
        key: names the test in Hypothesis's example database.
        shrinking: how many simpler requests are tried.

    Raises:
        Exception: what Hypothesis itself finds wrong, such as a strategy that yields nothing.
    """
    from hypothesis import HealthCheck, Phase, given, settings, target
    from hypothesis.errors import HypothesisException

    new: list[Attempt] = []

    def failing() -> int | None:
        """Where the first failure among the new attempts is."""
        return next((place for place, seen in enumerate(new) if seen.trial.suspicious), None)

    def of_any(request: ForgetRequest) -> None:
        seen = known.get(request)
        if seen is None:
            first = failing()
            if spent(new) if first is None else len(new) - first > shrinking:
                raise _Spent
            seen = known[request] = attempt(request)
            new.append(seen)
        if math.isfinite(seen.trial.excess):
            target(seen.trial.excess, label="how far beyond what was claimed")
        if seen.trial.suspicious:
            raise seen.error.with_traceback(None) if seen.error is not None else AssertionError(str(seen.trial))

    # One failure is one failure, whatever line of a shared library it was raised in.
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
    except HypothesisException:
        raise
    except Exception:
        if failing() is None and not any(seen.trial.suspicious for seen in known.values()):
            raise
    return new
