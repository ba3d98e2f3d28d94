"""Search, confirm, shrink: find a request that the method fails on, look again with fresh eyes, and make it small.

audit_survives: does a method stand up to the deletion request that it is worst at, among many that were tried?
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import numpy as np

from pytest_unlearn.core.evidence import Evidence
from pytest_unlearn.core.settings import CONFIDENCE, MAX_MIA_AUC, Setting, resolve
from pytest_unlearn.search.budget import Budget, as_budget
from pytest_unlearn.search.confirmation import Attempt, Look, look, scrutinise
from pytest_unlearn.search.families import FAMILIES
from pytest_unlearn.search.request import ForgetRequest, as_request
from pytest_unlearn.search.screening import CONFIRMATION, Bench, Trial
from pytest_unlearn.search.strategies import available, schedule
from pytest_unlearn.search.verdict import Search, verdict_of
from pytest_unlearn.task import UnlearningTask

MOST_SHRINKING = 40


def search(
    bench: Bench,
    look: Look,
    requests: Iterable[ForgetRequest],
    *,
    budget: Budget,
    families: Sequence[str] = tuple(FAMILIES),
    watch: Callable[[Iterator[Trial]], Iterable[Trial]] = lambda trials: trials,
) -> Search:
    """Try requests until one is confirmed to fail, or the budget is spent.

    Args:
        bench: where requests are tried.
        look: at a request, in a stage; the confirmation alone counts.
        requests: which, in order.
        budget: how many requests, trainings or seconds; making a found one smaller takes up to 40 more requests.
        families: of the requests that a found one may be made smaller to.
        watch: passes the trials on as they come, and shows them to somebody.
    """
    started = time.monotonic()
    attempts: list[Attempt] = []

    def tried() -> Iterator[Trial]:
        for request in requests:
            trainings = sum(attempt.trial.trainings for attempt in attempts)
            spent = budget.spent(requests=len(attempts), trainings=trainings, seconds=time.monotonic() - started)
            if attempts and spent:
                return
            attempts.append(scrutinise(look, request))
            yield attempts[-1].trial

    for _ in watch(tried()):
        if attempts[-1].fails:
            smallest, more = shrink(bench, look, attempts[-1], families)
            return Search(tuple(attempts), more, smallest)
    return Search(tuple(attempts))


def shrink(
    bench: Bench, look: Look, found: Attempt, families: Sequence[str], most: int = MOST_SHRINKING
) -> tuple[Attempt, int]:
    """Ever smaller and plainer requests near one that fails, each of them confirmed to fail.

    Returns:
        The smallest of them, and how many requests were tried for it.
    """
    request = found.trial.request
    families = (*families, request.family, *(part.family for part in request.parts))
    smallest, tried = found, {_examples(bench, request)}
    while True:
        for request in simpler(smallest.trial, families):
            examples = _examples(bench, request)
            if examples in tried:  # another family may name the same examples
                continue
            if len(tried) > most:
                return smallest, len(tried) - 1
            tried.add(examples)
            attempt = scrutinise(look, request, settle=False)
            if attempt.fails and attempt.trial.examples <= smallest.trial.examples:
                smallest = attempt
                break
        else:
            return smallest, len(tried) - 1


def _examples(bench: Bench, request: ForgetRequest) -> tuple[bytes, ...]:
    """The examples that a request names, step by step."""
    return tuple(step.tobytes() for step in bench.steps(request))


def simpler(found: Trial, families: Sequence[str]) -> Iterator[ForgetRequest]:
    """Simpler requests: half as many examples of the same kind, then of any other, then three quarters as many."""
    request = found.request
    if request.parts:
        for smaller in request.smaller():
            if all(part.family in families for part in smaller.parts or (smaller,)):
                yield smaller
        return
    half, most = found.examples // 2, found.examples * 3 // 4
    yield from _alike(request, half)
    yield from _of_any_family(request, families, half, seed=0)
    yield from _alike(request, most)
    yield from _of_any_family(request, families, half, seed=1)
    yield from _of_any_family(request, families, most, seed=0)
    if request.seed:
        yield replace(request, seed=0)


def _alike(request: ForgetRequest, size: int) -> Iterator[ForgetRequest]:
    """The same draw, or the first, with another size."""
    yield from (replace(request, size=size, seed=seed) for seed in dict.fromkeys((request.seed, 0)) if size)


def _of_any_family(request: ForgetRequest, families: Sequence[str], size: int, seed: int) -> Iterator[ForgetRequest]:
    """A draw of this size from every family, of the same class where there is one."""
    for family in FAMILIES:
        if size and family in families and family not in ("single", "whole-class", "group"):
            yield ForgetRequest(family, size=size, seed=seed, label=request.label if family == "class-fraction" else 0)


LARGEST_SHARE = 5  # of train: at most a fifth is asked for at once
REQUESTS = 60


def audit_survives(
    unlearner: Any,
    task: UnlearningTask,
    *,
    families: Sequence[str] | None = None,
    budget: int | timedelta | Budget = REQUESTS,
    max_mia_auc: float = MAX_MIA_AUC,
    confidence: float = CONFIDENCE,
    seed: int = 0,
) -> Evidence:
    """Is there a deletion request that this method does not forget? Searched for, made small, and confirmed.

    Requests of every family are tried in turn and screened cheaply. One that looks bad is made smaller and plainer, and
    audited anew with fresh seeds, fresh controls and models retrained without it. Only that audit can FAIL.

    Args:
        unlearner: the method, `unlearner(model, retain, forget, *, seed) -> model`.
        task: what was trained on, and how; its recipe trains the references. Its own forget set plays no part.
        families: names of request families; by default all that the split allows.
        budget: how many requests to try, for how long (a `timedelta`), or a `Budget` of requests, trainings or
            seconds. Making a found one smaller takes up to 40 more requests.
        max_mia_auc: the limit a request is judged at, as in `audit_forgotten`.
        confidence: of every one-sided bound.
        seed: of the search: which requests are tried.

    Returns:
        Evidence; its estimate counts the confirmed failures, 0 under perfect unlearning. FAIL names the request and the
        line that replays it; so does a method that raises. PASS means that none of the requests tried was confirmed to
        fail; INCONCLUSIVE, that the search could not have found any (it does not recognise the requests in the original
        model either), or that a suspicion could be neither confirmed nor put aside; INVALID, that the method left
        models whose answers are none (constant, say) where a retrained model's can be judged.

    Raises:
        ValueError: a task without a recipe, a family that does not exist, or a budget of nothing.
        TypeError: a method that cannot be called, or no task.
    """
    limit, level = resolve("max_mia_auc", max_mia_auc), resolve("confidence", confidence)
    check(unlearner, task)
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ValueError(f"the seed of a search is a whole number from 0, not {seed!r}.")
    bound, bench = as_budget(budget), Bench(task, unlearner, limit.value, level.value)
    names = available(families, groups=task.split.groups is not None)
    largest = max(1, len(task.split.train) // LARGEST_SHARE)
    owners = 0 if bench.facts.groups is None else len(np.unique(bench.facts.groups))
    wanted = schedule(names, classes=len(bench.facts.classes), groups=owners, largest=largest, seed=seed)
    found = search(bench, partial(look, bench), wanted, budget=bound, families=names, watch=watching(task, bound))
    return verdict_of(
        found,
        sources={"max_mia_auc": limit.source, "confidence": level.source},
        confidence=level.value,
        replay=partial(replay, given={"max_mia_auc": limit, "confidence": level}),
    )


def check(unlearner: Any, task: UnlearningTask) -> None:
    """Whether a method and a task can be searched with.

    Raises:
        TypeError: what cannot be called, or no task.
        ValueError: a task without a recipe.
    """
    if not callable(unlearner):
        raise TypeError(
            f"a method is called as unlearner(model, retain, forget, *, seed), and {unlearner!r} cannot be."
        )
    if not isinstance(task, UnlearningTask):
        raise TypeError(f"a search needs an UnlearningTask(split, recipe), not a {type(task).__name__}.")
    if task.recipe is None:
        raise ValueError("a search needs models retrained without each request: give the task a recipe.")


def replay(request: ForgetRequest, *, given: Mapping[str, Setting]) -> str:
    """The line that audits this request again, at the same limit wherever it is run."""
    more = "".join(f", {name}={one.value!r}" for name, one in given.items() if one.source != "default")
    return f"audit_request(unlearner, task, {request!r}{more})"


def watching(task: UnlearningTask, budget: Budget) -> Callable[[Iterator[Trial]], Iterable[Trial]]:
    """Shows the trials of a search as the task shows its trainings."""
    return lambda trials: task.progress(trials, budget.requests, "searching requests", str)


def audit_request(
    unlearner: Any,
    task: UnlearningTask,
    request: ForgetRequest,
    *,
    max_mia_auc: float = MAX_MIA_AUC,
    confidence: float = CONFIDENCE,
) -> Evidence:
    """Does the method forget this one request? The audit that confirms what a search found, by itself.

    Arguments and errors as in `audit_survives`; also a ValueError for a request that cannot be asked of any method.
    Returns the evidence of `audit_forgotten` on the request; FAIL where the method raises.
    """
    limit, level = resolve("max_mia_auc", max_mia_auc), resolve("confidence", confidence)
    check(unlearner, task)
    bench = Bench(task, unlearner, limit.value, level.value)
    attempt = look(bench, as_request(request), CONFIRMATION)
    if attempt.evidence is not None:
        return attempt.evidence
    if attempt.error is None:
        raise ValueError(f"{request!r} cannot be audited: {attempt.trial.obstacle}.")
    failed = replace(attempt, fails=True)
    return verdict_of(
        Search((failed,), failure=failed),
        sources={"max_mia_auc": limit.source, "confidence": level.source},
        confidence=level.value,
        replay=partial(replay, given={"max_mia_auc": limit, "confidence": level}),
    )
