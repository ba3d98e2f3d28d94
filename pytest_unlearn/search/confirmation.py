"""Evaluation of one request: screened, then confirmed with everything fresh.

The worst of many noisy estimates is beyond any limit by luck. So screening only raises suspicion; what fails a test is
a new audit of that one request, with fresh seeds, fresh controls and models retrained without it. Where a retrained
model looks no better, nothing can be told.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from pytest_unlearn.claims.forgotten.audit import audit_forgotten
from pytest_unlearn.core.evidence import Evidence
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
    """The result of one request, and what was raised.

    `fails` if it was confirmed, by `evidence` if there is any; `rejected` is what the confirmation gave instead, where
    it did not bear out a suspicion.
    """

    result: RequestResult
    error: BaseException | None = None
    evidence: Evidence | None = None
    fails: bool = False
    rejected: str = ""


Evaluate = Callable[[ForgetRequest, Stage], Attempt]


def confirm_suspicion(evaluate: Evaluate, request: ForgetRequest, *, explain: bool = True) -> Attempt:
    """Evaluate a request, and confirm what is suspicious or cannot be judged.

    Args:
        evaluate: a request in a stage.
        request: which.
        explain: whether to find out why a suspicion was not confirmed.
    """
    first = evaluate(request, SEARCH)
    if first.result.suspicious:
        return _resolve_suspicion(evaluate, request, first, explain)
    return _resolve_doubt(evaluate, request, first) if first.result.doubt else first


def _resolve_suspicion(evaluate: Evaluate, request: ForgetRequest, first: Attempt, explain: bool) -> Attempt:
    """Confirm a suspicion, unless an audit passes and puts it aside."""
    confirmation = evaluate(request, CONFIRMATION)
    if confirmation.result.suspicious:
        return _confirmed([first, confirmation])
    if not explain:
        return _unconfirmed([first, confirmation])
    control = evaluate(request, RETRAINED_CONTROL)
    attempts = [first, confirmation, control]
    if control.result.suspicious or control.result.doubt or control.result.obstacle:
        return _not_testable(attempts)
    if confirmation.result.judged:
        attempts.append(evaluate(request, REPEAT_ON_SEARCHED_MODEL))
        repeated = attempts[-1].result
        return _unconfirmed(attempts, doubt=ONE_SEED if repeated.suspicious or repeated.doubt else "")
    again = evaluate(request, REPEAT_SEARCH)
    attempts.append(again)
    if again.result.suspicious:
        return _unconfirmed(attempts, doubt=f"seen twice in the search, {describe(confirmation)} when audited")
    audited = evaluate(request, REPEAT_ON_SEARCHED_MODEL)
    attempts.append(audited)
    return _unconfirmed(attempts, doubt=ONE_SEED) if audited.result.suspicious else _not_testable(attempts, NOT_AGAIN)


def _resolve_doubt(evaluate: Evaluate, request: ForgetRequest, first: Attempt) -> Attempt:
    """Keep a doubt, unless retrained models are doubtful or fresh ones not."""
    control = evaluate(request, RETRAINED_CONTROL)
    unexcused = first.result.kinds - control.result.kinds
    if control.result.obstacle or not unexcused:
        return _not_testable([first, control])
    confirmation = evaluate(request, CONFIRMATION)
    attempts = [first, control, confirmation]
    if confirmation.result.suspicious:
        return _confirmed(attempts)
    if confirmation.result.judged:
        attempts.append(evaluate(request, REPEAT_ON_SEARCHED_MODEL))
        repeated = attempts[-1].result
        doubt = ONE_SEED if repeated.suspicious or repeated.doubt else ""
        return _unconfirmed(attempts, doubt=doubt, kinds=first.result.kinds & repeated.kinds)
    attempts.append(evaluate(request, RETRAINED_CONFIRMATION))
    retrained = attempts[-1].result
    if "uncorrelated everywhere" not in unexcused and (
        retrained.doubt or not (retrained.powerful or confirmation.result.doubt)
    ):
        return _not_testable(attempts)
    return _unconfirmed(
        attempts,
        doubt=f"{describe(confirmation)}, unlike of a retrained model",
        kinds=first.result.kinds & confirmation.result.kinds,
    )


def _confirmed(attempts: list[Attempt]) -> Attempt:
    """Sum up attempts of which the last confirms what the first one raised."""
    first, last = attempts[0], attempts[-1]
    result = replace(
        first.result, suspicious=True, powerful=True, doubt="", kinds=frozenset(), trainings=_trainings(attempts)
    )
    return Attempt(result, last.error, last.evidence, fails=True)


def _unconfirmed(attempts: list[Attempt], *, doubt: str = "", kinds: frozenset[str] = frozenset()) -> Attempt:
    """Sum up attempts that confirm nothing; a doubt may stand."""
    first = attempts[0]
    result = replace(first.result, doubt=doubt, kinds=kinds, trainings=_trainings(attempts))
    return Attempt(result, first.error, rejected=describe(attempts[1]) if first.result.suspicious else "")


def _not_testable(attempts: list[Attempt], why: str = NO_BETTER) -> Attempt:
    """Sum up attempts that can tell nothing."""
    unconfirmed = _unconfirmed(attempts)
    return replace(unconfirmed, result=replace(unconfirmed.result, powerful=False, obstacle=why))


def _trainings(attempts: list[Attempt]) -> int:
    return sum(attempt.result.trainings for attempt in attempts)


def describe(attempt: Attempt) -> str:
    """Describe what an attempt gave, in a line."""
    if attempt.evidence is not None:
        return str(attempt.evidence.verdict)
    if attempt.error is not None:
        return f"{type(attempt.error).__name__}: {str(attempt.error).split(chr(10))[0].rstrip('.')}"
    return attempt.result.obstacle or "it held"


def run_guarded(runner: RequestRunner, request: ForgetRequest, run: Callable[[], Attempt]) -> Attempt:
    """Run an evaluation that counts only where something can be asked of any method.

    What the method or the test raises is theirs, unless the recipe cannot be trained on what is left either.

    Raises:
        BaseException: what neither of them raised, such as an interrupt.
    """
    steps = runner.steps(request)
    if obstacle := runner.obstacle(steps):
        return Attempt(runner.blank_result(request, obstacle))
    try:
        return run()
    except BaseException as error:
        names = class_names(error)
        outcome = "OutcomeException" in names  # of pytest: not an Exception
        if not (outcome or isinstance(error, Exception)) or {"Exit", "FlakyFailure", "InvalidArgument"} & names:
            raise
        if {"Skipped", "UnsatisfiedAssumption", "Unsupported"} & names:
            return Attempt(runner.blank_result(request, f"left out ({type(error).__name__})"))
        if why := runner.why_not_trained(steps):
            return Attempt(runner.blank_result(request, f"the recipe cannot be trained on what is left ({why})"))
        return Attempt(runner.crashed_result(request, error), error)


def class_names(error: BaseException) -> set[str]:
    """Name an error's classes: what raises it may be no dependency of this package."""
    return {kind.__name__ for kind in type(error).__mro__}


def task_for(runner: RequestRunner, request: ForgetRequest, stage: Stage) -> UnlearningTask:
    """Build the task to audit a request with: references and controls of this stage."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a request may well ask for some rows of a group only
        return runner.task.with_request(
            np.unique(np.concatenate(runner.steps(request))),
            controls=runner.controls(stage.half),
            control_groups=runner.control_groups(stage.half),
            references=stage.references,
            seed=runner.task.seed + stage.first_seed,
        )


def unlearn_request(runner: RequestRunner, request: ForgetRequest, stage: Stage) -> UnlearnedRequest:
    """Run the method on a request, and give the task to audit what it left."""
    return UnlearnedRequest(runner.model(request, stage), task_for(runner, request, stage))


def evaluate_request(runner: RequestRunner, request: ForgetRequest, stage: Stage) -> Attempt:
    """Screen a request while searching; audit it in every other stage."""

    def run() -> Attempt:
        if stage.half == 0:
            return Attempt(runner.screen_request(request, runner.model(request, stage), stage))
        unlearned = unlearn_request(runner, request, stage)
        evidence = audit_forgotten(unlearned.model, unlearned.task.forget, runner.limit, confidence=runner.confidence)
        result = result_of_entry(runner.blank_result(request, ""), evidence.to_json(), stage.references + 1)
        return Attempt(result, evidence=evidence)

    return run_guarded(runner, request, run)
