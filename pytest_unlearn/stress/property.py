"""A test of one deletion request put to many: Hypothesis draws and shrinks them, a fresh look confirms the worst."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pytest_unlearn.evidence import Estimate, Evidence
from pytest_unlearn.recording import Entry, Recorder, badness, current, recording
from pytest_unlearn.references.progress import told
from pytest_unlearn.settings import resolve
from pytest_unlearn.stress.budget import Budget, as_budget
from pytest_unlearn.stress.confirm import CONFIRMATION, SEARCH, Stage, unlearned
from pytest_unlearn.stress.explore import Attempt, budget_spent, explore
from pytest_unlearn.stress.families import resolve as steps_of
from pytest_unlearn.stress.requests import ForgetRequest
from pytest_unlearn.stress.search import Search
from pytest_unlearn.stress.strategy import forget_sets
from pytest_unlearn.stress.trial import Bench, Trial
from pytest_unlearn.stress.verdict import verdict_of
from pytest_unlearn.task import UnlearningTask
from pytest_unlearn.unlearned import UnlearnedRequest

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

Property = Callable[[UnlearnedRequest], Any]
Look = Callable[[ForgetRequest, Stage], Attempt]


@dataclass(frozen=True)
class Finding:
    """What a search with a test came to: the evidence, and what the test raised on the request that was found."""

    evidence: Evidence
    error: Exception | None = None


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
    if task.recipe is None:
        raise ValueError("a search needs models retrained without each request: give the task a recipe.")
    bound, level = as_budget(budget), resolve("confidence")
    bench = Bench(task, unlearner, resolve("max_mia_auc").value, level.value)
    look = functools.partial(_look, holds, bench)
    if only is not None:
        seen = look(only, CONFIRMATION)
        found, error = _result([seen], [])
    else:
        requests = forget_sets(task.split, families, sizes)
        with told(task.progress, bound.requests, "searching requests", str) as tell:
            found, error = _searched(requests, look, bound, key, tell)
    return Finding(verdict_of(found, sources={"confidence": level.source}, confidence=level.value), error)


def _searched(
    requests: SearchStrategy[ForgetRequest], look: Look, budget: Budget, key: str, tell: Callable[[Trial], None]
) -> tuple[Search, Exception | None]:
    """Search until a request is confirmed to fail or the budget is spent; then make it smaller."""
    started = time.monotonic()
    rejected: list[tuple[Trial, str]] = []

    def attempt(request: ForgetRequest) -> Attempt:
        seen = look(request, SEARCH)
        if seen.trial.suspicious or seen.trial.doubt:  # two references may disagree by chance, four others hardly
            again = look(request, CONFIRMATION)
            if seen.trial.suspicious and not again.trial.suspicious:
                rejected.append((seen.trial, _says(again)))
            seen = replace(again, before=seen.trial if seen.trial.suspicious else None)
        tell(seen.trial)
        return seen

    def spent(tried: list[Attempt]) -> bool:
        return budget_spent(budget, tried, started)

    return _result(explore(requests, attempt, spent=spent, draws=budget.requests, key=key), rejected)


def _result(tried: list[Attempt], rejected: list[tuple[Trial, str]]) -> tuple[Search, Exception | None]:
    """What was tried as a search: up to the first failure, and the smallest one that it was shrunk to."""
    failing = [seen for seen in tried if seen.trial.suspicious]
    trials = tuple(seen.before or seen.trial for seen in tried)
    if not failing:
        return Search(trials, rejected=tuple(rejected)), None
    first, smallest = failing[0], min(failing, key=lambda seen: seen.trial.examples)
    searched = tried.index(first) + 1
    return Search(
        trials[:searched],
        len(tried) - searched,
        first=first.before or first.trial,
        failure=smallest.before or smallest.trial,
        evidence=smallest.evidence,
        says=_says(smallest),
        rejected=tuple(rejected),
        replay=f"@stress(only={smallest.trial.request!r})",
    ), smallest.error


def _says(seen: Attempt) -> str:
    """What a fresh look gave, in a line."""
    if seen.evidence is not None:
        return str(seen.evidence.verdict)
    return "it held" if seen.error is None else f"{type(seen.error).__name__}: {str(seen.error).split(chr(10))[0]}"


def _look(holds: Property, bench: Bench, request: ForgetRequest, stage: Stage) -> Attempt:
    """Run the method and the test on one request. What the test records stays here: only the search has a verdict."""
    from hypothesis.errors import HypothesisException

    steps = steps_of(request, bench.facts)
    here = current()
    notes = Recorder(here.nodeid, here.layers) if here is not None else Recorder()
    error: Exception | None = None
    with recording(notes):
        try:
            holds(unlearned(bench, request, stage))
        except HypothesisException:  # an assumption that the request does not meet
            raise
        except Exception as raised:  # a method that crashes on a request fails on it
            error = raised
    evidence = getattr(error, "evidence", None)
    verdict = str(evidence.verdict) if isinstance(evidence, Evidence) else "FAIL" if error is not None else "PASS"
    worst = max(notes.entries, key=badness, default=None)
    trial = Trial(
        request,
        examples=len({int(position) for step in steps for position in step}),
        suspicious=verdict == "FAIL",
        powerful=not notes.entries or any(_tells(entry) for entry in notes.entries),
        attack=worst["decided_by"] if worst is not None else verdict,
        estimate=_estimate(worst),
        excess=badness(worst)[1] if worst is not None else -math.inf,
        quantity=worst["claim"]["quantity"] if worst is not None else "",
        doubt=f"{request!r}: {error}" if verdict == "INVALID" else "",
        trainings=len(steps) + stage.references,
    )
    return Attempt(trial, error, evidence if isinstance(evidence, Evidence) else None)


def _tells(entry: Entry) -> bool:
    """Whether this audit could have told: it did, or it recognises the request in the original model."""
    original = entry["controls"]["original"]
    return entry["verdict"] in ("PASS", "FAIL") or bool(original and original["holds"])


def _estimate(entry: Entry | None) -> Estimate | None:
    if entry is None or any(entry["estimate"][name] is None for name in ("value", "low", "high")):
        return None
    return Estimate(**entry["estimate"])
