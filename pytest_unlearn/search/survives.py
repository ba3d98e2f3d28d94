"""Audit of whether a method survives the deletion request it is worst at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

from pytest_unlearn.core.evidence import Evidence
from pytest_unlearn.core.settings import CONFIDENCE, MAX_MIA_AUC, Setting, resolve
from pytest_unlearn.search.budget import Budget, as_budget
from pytest_unlearn.search.confirmation import evaluate_request
from pytest_unlearn.search.hypothesis_engine import search_requests
from pytest_unlearn.search.request import ForgetRequest, as_request
from pytest_unlearn.search.screening import CONFIRMATION, RequestRunner
from pytest_unlearn.search.strategies import available, resized, searched_forget_sets, turns_of
from pytest_unlearn.search.verdict import Search, verdict_of
from pytest_unlearn.task import UnlearningTask
from pytest_unlearn.training.signatures import check_unlearner

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
    """Search for a request that a method does not forget, shrink and confirm it.

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
    bound, runner = as_budget(budget), RequestRunner(task, unlearner, limit.value, level.value)
    names = available(families, groups=task.split.groups is not None)
    search = search_requests(
        searched_forget_sets(task.split, names),
        partial(evaluate_request, runner),
        bound,
        task.progress,
        seed=seed,
        due=turns_of(task.split, names).due,
        resized=partial(resized, families=names),
    )
    return verdict_of(
        search,
        sources={"max_mia_auc": limit.source, "confidence": level.source},
        confidence=level.value,
        replay=partial(replay, given={"max_mia_auc": limit, "confidence": level}),
    )


def check(unlearner: Any, task: UnlearningTask) -> None:
    """Check that a method and a task can be searched with.

    Raises:
        TypeError: what cannot be called, or no task.
        ValueError: a task without a recipe.
    """
    check_unlearner(unlearner)
    if not isinstance(task, UnlearningTask):
        raise TypeError(f"a search needs an UnlearningTask(split, recipe), not a {type(task).__name__}.")
    if task.recipe is None:
        raise ValueError("a search needs models retrained without each request: give the task a recipe.")


def replay(request: ForgetRequest, *, given: Mapping[str, Setting]) -> str:
    """Write the line that audits this request again, at the same limit anywhere."""
    more = "".join(f", {name}={one.value!r}" for name, one in given.items() if one.source != "default")
    return f"audit_request(unlearner, task, {request!r}{more})"


def audit_request(
    unlearner: Any,
    task: UnlearningTask,
    request: ForgetRequest,
    *,
    max_mia_auc: float = MAX_MIA_AUC,
    confidence: float = CONFIDENCE,
) -> Evidence:
    """Audit one request as a search confirms it.

    Arguments and errors as in `audit_survives`; also a ValueError for a request that cannot be asked of any method.
    Returns the evidence of `audit_forgotten` on the request; FAIL where the method raises.
    """
    limit, level = resolve("max_mia_auc", max_mia_auc), resolve("confidence", confidence)
    check(unlearner, task)
    runner = RequestRunner(task, unlearner, limit.value, level.value)
    attempt = evaluate_request(runner, as_request(request), CONFIRMATION)
    if attempt.evidence is not None:
        return attempt.evidence
    if attempt.error is None:
        raise ValueError(f"{request!r} cannot be audited: {attempt.result.obstacle}.")
    failed = replace(attempt, fails=True)
    return verdict_of(
        Search((failed,), failure=failed),
        sources={"max_mia_auc": limit.source, "confidence": level.source},
        confidence=level.value,
        replay=partial(replay, given={"max_mia_auc": limit, "confidence": level}),
    )
