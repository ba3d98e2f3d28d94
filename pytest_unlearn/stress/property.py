"""A test of one deletion request put to many: Hypothesis draws and shrinks them, a fresh look confirms the worst."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pytest_unlearn.evidence import Estimate, Evidence
from pytest_unlearn.recording import Entry, Recorder, badness, current, recording
from pytest_unlearn.references.progress import told
from pytest_unlearn.settings import resolve
from pytest_unlearn.stress.budget import Budget, as_budget
from pytest_unlearn.stress.confirm import CONFIRMATION, SEARCH, Stage, unlearned
from pytest_unlearn.stress.explore import Attempt, explore
from pytest_unlearn.stress.families import resolve as steps_of
from pytest_unlearn.stress.requests import ForgetRequest
from pytest_unlearn.stress.search import Search, smallest_first
from pytest_unlearn.stress.strategy import forget_sets
from pytest_unlearn.stress.trial import Bench, Trial
from pytest_unlearn.stress.verdict import verdict_of
from pytest_unlearn.task import UnlearningTask
from pytest_unlearn.unlearned import UnlearnedRequest

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

Property = Callable[[UnlearnedRequest], Any]
Look = Callable[[ForgetRequest], Attempt]


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

    While searching, the test sees two retrained references and half of the controls. A request on which it raises is
    made smaller by Hypothesis; it counts only if the test raises again with fresh seeds, the other half of the
    controls and four other references.

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
    first, again = (functools.partial(_look, holds, bench, stage) for stage in (SEARCH, CONFIRMATION))
    if only is not None:
        seen = again(only)
        found, error = _confirmed([seen], Search((seen.trial,)), lambda _: seen)
    else:
        requests = forget_sets(task.split, families, sizes)
        with told(task.progress, bound.requests, "searching requests", str) as tell:
            found, error = _searched(requests, first, again, bound, key, lambda seen: tell(seen.trial))
    return Finding(verdict_of(found, sources={"confidence": level.source}, confidence=level.value), error)


def _searched(
    requests: SearchStrategy[ForgetRequest],
    first: Look,
    again: Look,
    budget: Budget,
    key: str,
    tell: Callable[[Attempt], None],
) -> tuple[Search, Exception | None]:
    """Search until a request is confirmed to fail or the budget is spent."""
    started, known, found = time.monotonic(), dict[ForgetRequest, Attempt](), Search(())

    def attempt(request: ForgetRequest) -> Attempt:
        seen = first(request)
        if seen.trial.doubt:  # two references may disagree by chance, four others hardly
            seen = again(request)
        tell(seen)
        return seen

    def spent(new: list[Attempt]) -> bool:
        trainings = sum(seen.trial.trainings for seen in known.values())
        return budget.spent(
            requests=len(found.trials) + len(new), trainings=trainings, seconds=time.monotonic() - started
        )

    while True:
        new = explore(requests, attempt, known=known, spent=spent, draws=budget.requests, key=key)
        failing = [seen for seen in new if seen.trial.suspicious]
        searched = new.index(failing[0]) + 1 if failing else len(new)
        found = Search(
            (*found.trials, *(seen.trial for seen in new[:searched])),
            found.shrinking + len(new) - searched,
            rejected=found.rejected,
        )
        if not failing:
            return found, None
        found, error = _confirmed(failing, found, again)
        if found.failure is not None:
            return found, error
        known.update((seen.trial.request, seen.cleared()) for seen in failing)


def _confirmed(failing: Sequence[Attempt], found: Search, again: Look) -> tuple[Search, Exception | None]:
    """The search with the smallest failure that a fresh look bears out, or with one more that it did not."""
    trials, says = [seen.trial for seen in failing], ""
    for trial in smallest_first(trials):
        seen = again(trial.request)
        says = _says(seen)
        if seen.trial.suspicious:
            confirmed = Search(
                found.trials,
                found.shrinking,
                first=trials[0],
                failure=trial,
                evidence=seen.evidence,
                says=says,
                rejected=found.rejected,
                replay=f"@stress(only={trial.request!r})",
            )
            return confirmed, seen.error
    rejected = (*found.rejected, (trials[0], says)) if trials[0].suspicious else found.rejected
    return Search(found.trials, found.shrinking, rejected=rejected), None


def _says(seen: Attempt) -> str:
    """What a fresh look gave, in a line."""
    if seen.evidence is not None:
        return str(seen.evidence.verdict)
    return "it held" if seen.error is None else f"{type(seen.error).__name__}: {str(seen.error).split(chr(10))[0]}"


def _look(holds: Property, bench: Bench, stage: Stage, request: ForgetRequest) -> Attempt:
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
