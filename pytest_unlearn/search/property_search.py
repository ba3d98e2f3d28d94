"""A test of one deletion request put to many: Hypothesis draws and shrinks them, a fresh look confirms the worst."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pytest_unlearn.core.claim_table import TABLE
from pytest_unlearn.core.evidence import Evidence
from pytest_unlearn.core.progress import told
from pytest_unlearn.core.recorder import Entry, Recorder, current, recording, severity
from pytest_unlearn.core.settings import resolve
from pytest_unlearn.search.budget import Budget, as_budget
from pytest_unlearn.search.confirmation import Attempt, Look, guarded, scrutinise, task_for
from pytest_unlearn.search.hypothesis_engine import budget_spent, explore
from pytest_unlearn.search.request import ForgetRequest, as_request
from pytest_unlearn.search.screening import CONFIRMATION, Bench, Stage, Trial, trial_of
from pytest_unlearn.search.strategies import forget_sets
from pytest_unlearn.search.survives import check
from pytest_unlearn.search.unlearned import UnlearnedRequest
from pytest_unlearn.search.verdict import Search, verdict_of
from pytest_unlearn.task import UnlearningTask

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

OTHER_CLAIMS = frozenset(name for name, spec in TABLE.items() if not spec.of_this_model)
Property = Callable[[UnlearnedRequest], Any]


@dataclass(frozen=True)
class Finding:
    """What a search with a test came to: the evidence, and what the test raised on the request that was found.

    `audited` says whether the test recorded any evidence of forgetting.
    """

    evidence: Evidence
    error: BaseException | None = None
    audited: bool = True


def audit_property(
    holds: Property,
    unlearner: Any,
    task: UnlearningTask,
    *,
    families: Sequence[str] | None = None,
    sizes: tuple[int, int] | None = None,
    budget: int | timedelta | Budget = 60,
    only: ForgetRequest | None = None,
    key: str = "",
) -> Finding:
    """Does what a test states of one deletion request hold for any?

    While searching, the test sees two retrained references and half of the controls. A request on which it raises
    counts only if it raises again with fresh seeds, the other half of the controls and four other references; of such
    requests Hypothesis looks for ever smaller and plainer ones.

    Args:
        holds: called with an `UnlearnedRequest` (model, task); raises where its statement does not hold.
        unlearner: the method.
        task: what was trained on, and how; its own forget set plays no part.
        families: names of request families; by default all that the split allows.
        sizes: the smallest and largest request.
        budget: how many requests to try, for how long, or a `Budget`.
        only: look at this one request instead, with the fresh seeds of a confirmation.
        key: names the test in Hypothesis's example database, which keeps what failed.

    Raises:
        ValueError: a task without a recipe, a family that does not exist, or a budget of nothing.
    """
    check(unlearner, task)
    bound, level = as_budget(budget), resolve("confidence")
    bench = Bench(task, unlearner, resolve("max_mia_auc").value, level.value)
    recorded: list[Entry] = []
    look = functools.partial(_look, holds, bench, recorded)
    if only is not None:
        seen = look(as_request(only), CONFIRMATION)
        found = _result([replace(seen, fails=seen.trial.suspicious)])
    else:
        requests = forget_sets(task.split, families, sizes)
        with told(task.progress, bound.requests, "searching requests", str) as tell:
            found = _searched(requests, look, bound, key, tell)
    evidence = verdict_of(found, sources={"confidence": level.source}, confidence=level.value, replay=replay)
    return Finding(evidence, None if found.failure is None else found.failure.error, audited=bool(recorded))


def replay(request: ForgetRequest) -> str:
    """The line that puts the test to this request again."""
    return f"@stress(only={request!r})"


def _searched(
    requests: SearchStrategy[ForgetRequest], look: Look, budget: Budget, key: str, tell: Callable[[Trial], None]
) -> Search:
    """Search until a request is confirmed to fail or the budget is spent; then make it smaller."""
    started = time.monotonic()

    def attempt(request: ForgetRequest) -> Attempt:
        seen = scrutinise(look, request)
        tell(seen.trial)
        return seen

    def spent(tried: list[Attempt]) -> bool:
        return budget_spent(budget, tried, started)

    return _result(explore(requests, attempt, spent=spent, draws=budget.requests, key=key))


def _result(tried: list[Attempt]) -> Search:
    """What was tried as a search: up to the first failure, and the smallest one that it was shrunk to."""
    failing = [seen for seen in tried if seen.fails]
    if not failing:
        return Search(tuple(tried))
    searched = tried.index(failing[0]) + 1
    return Search(
        tuple(tried[:searched]),
        shrinking=len(tried) - searched,
        failure=min(failing, key=lambda seen: seen.trial.examples),
    )


def _look(holds: Property, bench: Bench, recorded: list[Entry], request: ForgetRequest, stage: Stage) -> Attempt:
    """Run the method and the test on one request. What the test records stays here: only the search has a verdict."""
    here = current()
    notes = Recorder(here.nodeid, here.layers) if here is not None else Recorder()

    def looked() -> Attempt:
        error: Exception | None = None
        task = task_for(bench, request, stage)
        with recording(notes):
            try:
                holds(UnlearnedRequest(bench.model(request, stage), task))
            except Exception as raised:
                if not isinstance(getattr(raised, "evidence", None), Evidence):
                    raise
                error = raised
        return _judged(bench, request, stage, notes.entries, error)

    attempt = guarded(bench, request, looked)
    recorded += [entry for entry in notes.entries if entry["claim"]["name"] not in OTHER_CLAIMS]
    return attempt


def _judged(
    bench: Bench, request: ForgetRequest, stage: Stage, entries: Sequence[Entry], error: Exception | None
) -> Attempt:
    """What the audits of a test saw: the gravest counts, whether the test raised it or not."""
    evidence = getattr(error, "evidence", None)
    seen = [*entries, *([evidence.to_json()] if isinstance(evidence, Evidence) else [])]
    plain = replace(bench.untested(request, ""), trainings=len(bench.steps(request)) + stage.references)
    if not seen:
        return Attempt(plain)
    trial = trial_of(plain, max(seen, key=severity), plain.trainings)
    tells = any(entry["claim"]["name"] not in OTHER_CLAIMS for entry in seen)
    return Attempt(replace(trial, powerful=trial.powerful and tells), error, evidence)
