"""One request looked into: at first, and where that sees something, with fresh eyes and beside a retrained model.

The worst of many noisy estimates is beyond any limit by luck. So a first look only raises suspicion; what fails a test
is a new audit of that one request, with fresh seeds, fresh controls and models retrained without it.

Evaluate at one request with models of its own: while searching, and again with fresh seeds, controls and references.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from pytest_unlearn.claims.forgotten.audit import audit_forgotten
from pytest_unlearn.core.evidence import Evidence
from pytest_unlearn.data.split import Split
from pytest_unlearn.search.request import ForgetRequest
from pytest_unlearn.search.screening import (
    CONFIRMATION,
    REPEAT_ON_SEARCHED_MODEL,
    REPEAT_SEARCH,
    RETRAINED_CONFIRMATION,
    RETRAINED_CONTROL,
    SEARCH,
    RequestResult,
    RequestRunner,
    Stage,
    result_of_entry,
)
from pytest_unlearn.search.unlearned import UnlearnedRequest
from pytest_unlearn.task import UnlearningTask

ONE_SEED = "one seed of the method leaves it recognisable or without an answer, another does not"
NOT_AGAIN = "seen once in the search and not again, and the audit of it cannot tell"
NO_BETTER = "a model retrained without it looks no better"


@dataclass(frozen=True)
class Attempt:
    """A result of one request, and what was raised; `fails` says that fresh eyes confirmed it, by `evidence` if any.

    `rejected` is what they gave instead, where they did not bear out a suspicion.
    """

    result: RequestResult
    error: BaseException | None = None
    evidence: Evidence | None = None
    fails: bool = False
    rejected: str = ""


Evaluate = Callable[[ForgetRequest, Stage], Attempt]


def confirm_suspicion(look: Evaluate, request: ForgetRequest, *, settle: bool = True) -> Attempt:
    """Evaluate at a request, and at what raises suspicion or cannot be judged until it is known why.

    Args:
        look: at a request, in a stage.
        request: which.
        settle: whether to find out why a suspicion was not confirmed.
    """
    first = look(request, SEARCH)
    if first.result.suspicious:
        return _suspected(look, request, first, settle)
    return _doubted(look, request, first) if first.result.doubt else first


def _suspected(look: Evaluate, request: ForgetRequest, first: Attempt, settle: bool) -> Attempt:
    """A suspicion is confirmed, or put aside by a look that passes; if it is neither, it stands."""
    again = look(request, CONFIRMATION)
    if again.result.suspicious:
        return _failing([first, again])
    if not settle:
        return _unconfirmed([first, again])
    honest = look(request, RETRAINED_CONTROL)
    if honest.result.suspicious or honest.result.doubt or honest.result.obstacle:
        return _not_testable([first, again, honest])
    if again.result.doubt or not again.result.powerful:
        more = look(request, REPEAT_SEARCH)
        if not more.result.suspicious:
            same = look(request, REPEAT_ON_SEARCHED_MODEL)
            looks = [first, again, honest, more, same]
            return _unconfirmed(looks, doubt=ONE_SEED) if same.result.suspicious else _not_testable(looks, NOT_AGAIN)
        return _unconfirmed([first, again, honest, more], doubt=f"seen twice in the search, {says(again)} when audited")
    same = look(request, REPEAT_ON_SEARCHED_MODEL)
    unlike = same.result.suspicious or same.result.doubt
    return _unconfirmed([first, again, honest, same], doubt=ONE_SEED if unlike else "")


def _doubted(look: Evaluate, request: ForgetRequest, first: Attempt) -> Attempt:
    """An answer that cannot be judged counts, unless a retrained model's cannot be either, or fresh ones can."""
    honest = look(request, RETRAINED_CONTROL)
    unexcused = first.result.kinds - honest.result.kinds
    if honest.result.obstacle or not unexcused:
        return _not_testable([first, honest])
    looks = [first, honest, look(request, CONFIRMATION)]
    again = looks[-1].result
    if again.suspicious:
        return _failing(looks)
    looks.append(
        look(request, REPEAT_ON_SEARCHED_MODEL if again.powerful and not again.doubt else RETRAINED_CONFIRMATION)
    )
    last = looks[-1].result
    if again.powerful and not again.doubt:
        unlike = last.suspicious or last.doubt
        return _unconfirmed(looks, doubt=ONE_SEED if unlike else "", kinds=first.result.kinds & last.kinds)
    if "astray everywhere" not in unexcused and (last.doubt or not (last.powerful or again.doubt)):
        return _not_testable(looks)
    return _unconfirmed(
        looks, doubt=f"{says(looks[2])}, unlike of a retrained model", kinds=first.result.kinds & again.kinds
    )


def _failing(looks: list[Attempt]) -> Attempt:
    """The last look confirms what the first one raised."""
    result = replace(
        looks[0].result, suspicious=True, powerful=True, doubt="", kinds=frozenset(), trainings=_trainings(looks)
    )
    return Attempt(result, looks[-1].error, looks[-1].evidence, fails=True)


def _unconfirmed(looks: list[Attempt], *, doubt: str = "", kinds: frozenset[str] = frozenset()) -> Attempt:
    """Nothing is confirmed; a doubt may stand."""
    first = looks[0]
    result = replace(first.result, doubt=doubt, kinds=kinds, trainings=_trainings(looks))
    return Attempt(result, first.error, rejected=says(looks[1]) if first.result.suspicious else "")


def _not_testable(looks: list[Attempt], why: str = NO_BETTER) -> Attempt:
    """Nothing can be told here: what is seen is seen in an honest model as well, or once and never again."""
    settled = _unconfirmed(looks)
    return replace(settled, result=replace(settled.result, powerful=False, obstacle=why))


def _trainings(looks: list[Attempt]) -> int:
    return sum(look.result.trainings for look in looks)


def says(seen: Attempt) -> str:
    """What a look gave, in a line."""
    if seen.evidence is not None:
        return str(seen.evidence.verdict)
    if seen.error is not None:
        return f"{type(seen.error).__name__}: {str(seen.error).split(chr(10))[0].rstrip('.')}"
    return seen.result.obstacle or "it held"


def run_guarded(runner: RequestRunner, request: ForgetRequest, look: Callable[[], Attempt]) -> Attempt:
    """A look that is not taken, or does not count, where nothing can be asked of any method.

    What the method or the test raises is theirs, unless the recipe cannot be trained on what is left either.

    Raises:
        BaseException: what neither of them raised, such as an interrupt.
    """
    steps = runner.steps(request)
    if obstacle := runner.obstacle(steps):
        return Attempt(runner.blank_result(request, obstacle))
    try:
        return look()
    except BaseException as error:
        names = {kind.__name__ for kind in type(error).__mro__}
        outcome = "OutcomeException" in names  # of pytest: not an Exception
        if not (outcome or isinstance(error, Exception)) or {"Exit", "FlakyFailure", "InvalidArgument"} & names:
            raise
        if {"Skipped", "UnsatisfiedAssumption", "Unsupported"} & names:
            return Attempt(runner.blank_result(request, f"left out ({type(error).__name__})"))
        if why := runner.why_not_trained(steps):
            return Attempt(runner.blank_result(request, f"the recipe cannot be trained on what is left ({why})"))
        return Attempt(runner.crashed_result(request, error), error)


def task_for(runner: RequestRunner, request: ForgetRequest, stage: Stage) -> UnlearningTask:
    """The task to audit a request with: references and controls of this stage."""
    split = runner.task.split
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a request may well ask for some rows of a group only
        asked = Split(
            split.train,
            np.unique(np.concatenate(runner.steps(request))),
            split.test,
            controls=runner.controls(stage.half),
            groups=split.groups,
            match=split.match,
            control_groups=runner.control_groups(stage.half),
        )
    task = UnlearningTask(
        asked,
        runner.task.recipe,
        original=runner.task.original,
        references=stage.references,
        seed=runner.task.seed + stage.first_seed,
        cache_dir=runner.task.store.directory,
        device=runner.task.device,
        n_jobs=runner.task.n_jobs,
        fresh=runner.task.fresh,
    )
    task.progress = runner.task.progress
    return task


def unlearned(runner: RequestRunner, request: ForgetRequest, stage: Stage) -> UnlearnedRequest:
    """What the method leaves of the original after a request, and the task to audit it with."""
    return UnlearnedRequest(runner.model(request, stage), task_for(runner, request, stage))


def confirm(runner: RequestRunner, request: ForgetRequest, stage: Stage = CONFIRMATION) -> Evidence:
    """The evidence on one request by the full audit, none of whose parts the search has touched but the original."""
    seen = unlearned(runner, request, stage)
    return audit_forgotten(seen.model, seen.task.forget, runner.limit, confidence=runner.confidence)


def look(runner: RequestRunner, request: ForgetRequest, stage: Stage) -> Attempt:
    """Screen a request while searching; audit it in every other stage."""

    def looked() -> Attempt:
        if stage.half == 0:
            return Attempt(runner.screen_request(request, runner.model(request, stage), stage))
        evidence = confirm(runner, request, stage)
        result = result_of_entry(runner.blank_result(request, ""), evidence.to_json(), stage.references + 1)
        return Attempt(result, evidence=evidence)

    return run_guarded(runner, request, looked)
