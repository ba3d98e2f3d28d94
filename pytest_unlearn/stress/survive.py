"""audit_survives: does a method stand up to the deletion request that it is worst at, among many that were tried?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any

from pytest_unlearn.evidence import Evidence
from pytest_unlearn.settings import CONFIDENCE, MAX_MIA_AUC, resolve
from pytest_unlearn.stress.budget import Budget, as_budget
from pytest_unlearn.stress.confirm import confirm
from pytest_unlearn.stress.requests import ForgetRequest
from pytest_unlearn.stress.schedule import available, schedule
from pytest_unlearn.stress.search import search
from pytest_unlearn.stress.trial import Bench, Trial
from pytest_unlearn.stress.verdict import verdict_of
from pytest_unlearn.task import UnlearningTask

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
        line that replays it. PASS means that none of the requests tried was confirmed to fail; INCONCLUSIVE, that the
        search could not have found any: it does not recognise the requests in the original model either, or the method
        left models whose answers cannot be judged (constant, or unlike any comparable model's).

    Raises:
        ValueError: a task without a recipe, a family that does not exist, or a budget of nothing.
    """
    limit, level = resolve("max_mia_auc", max_mia_auc), resolve("confidence", confidence)
    if task.recipe is None:
        raise ValueError("a search needs models retrained without each request: give the task a recipe.")
    bound = as_budget(budget)
    bench = Bench(task, unlearner, limit.value, level.value)
    names = available(families, groups=task.split.groups is not None)
    largest = max(1, len(task.split.train) // LARGEST_SHARE)
    wanted = schedule(names, classes=len(bench.facts.classes), largest=largest, seed=seed)
    found = search(bench, wanted, confirm, budget=bound, watch=watching(task, bound))
    return verdict_of(found, sources={"max_mia_auc": limit.source, "confidence": level.source}, confidence=level.value)


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

    Arguments and errors as in `audit_survives`. Returns the evidence of `audit_forgotten` on the request.
    """
    limit, level = resolve("max_mia_auc", max_mia_auc), resolve("confidence", confidence)
    return confirm(Bench(task, unlearner, limit.value, level.value), request)
