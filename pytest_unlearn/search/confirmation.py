"""One request looked into: at first, and where that sees something, with fresh eyes and beside a retrained model.

The worst of many noisy estimates is beyond any limit by luck. So a first look only raises suspicion; what fails a test
is a new audit of that one request, with fresh seeds, fresh controls and models retrained without it.

Look at one request with models of its own: while searching, and again with fresh seeds, controls and references.
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
    HONEST,
    HONEST_AGAIN,
    REPLICATE,
    SAME_MODEL,
    SEARCH,
    Bench,
    Stage,
    Trial,
    trial_of,
)
from pytest_unlearn.search.unlearned import UnlearnedRequest
from pytest_unlearn.task import UnlearningTask

ONE_SEED = "one seed of the method leaves it recognisable or without an answer, another does not"
NOT_AGAIN = "seen once in the search and not again, and the audit of it cannot tell"
NO_BETTER = "a model retrained without it looks no better"


@dataclass(frozen=True)
class Attempt:
    """A trial of one request, and what was raised; `fails` says that fresh eyes confirmed it, by `evidence` if any.

    `rejected` is what they gave instead, where they did not bear out a suspicion.
    """

    trial: Trial
    error: BaseException | None = None
    evidence: Evidence | None = None
    fails: bool = False
    rejected: str = ""


Look = Callable[[ForgetRequest, Stage], Attempt]


def scrutinise(look: Look, request: ForgetRequest, *, settle: bool = True) -> Attempt:
    """Look at a request, and at what raises suspicion or cannot be judged until it is known why.

    Args:
        look: at a request, in a stage.
        request: which.
        settle: whether to find out why a suspicion was not confirmed.
    """
    first = look(request, SEARCH)
    if first.trial.suspicious:
        return _suspected(look, request, first, settle)
    return _doubted(look, request, first) if first.trial.doubt else first


def _suspected(look: Look, request: ForgetRequest, first: Attempt, settle: bool) -> Attempt:
    """A suspicion is confirmed, or put aside by a look that passes; if it is neither, it stands."""
    again = look(request, CONFIRMATION)
    if again.trial.suspicious:
        return _failing([first, again])
    if not settle:
        return _settled([first, again])
    honest = look(request, HONEST)
    if honest.trial.suspicious or honest.trial.doubt or honest.trial.obstacle:
        return _untestable([first, again, honest])
    if again.trial.doubt or not again.trial.powerful:
        more = look(request, REPLICATE)
        if not more.trial.suspicious:
            same = look(request, SAME_MODEL)
            looks = [first, again, honest, more, same]
            return _settled(looks, doubt=ONE_SEED) if same.trial.suspicious else _untestable(looks, NOT_AGAIN)
        return _settled([first, again, honest, more], doubt=f"seen twice in the search, {says(again)} when audited")
    same = look(request, SAME_MODEL)
    unlike = same.trial.suspicious or same.trial.doubt
    return _settled([first, again, honest, same], doubt=ONE_SEED if unlike else "")


def _doubted(look: Look, request: ForgetRequest, first: Attempt) -> Attempt:
    """An answer that cannot be judged counts, unless a retrained model's cannot be either, or fresh ones can."""
    honest = look(request, HONEST)
    unexcused = first.trial.kinds - honest.trial.kinds
    if honest.trial.obstacle or not unexcused:
        return _untestable([first, honest])
    looks = [first, honest, look(request, CONFIRMATION)]
    again = looks[-1].trial
    if again.suspicious:
        return _failing(looks)
    looks.append(look(request, SAME_MODEL if again.powerful and not again.doubt else HONEST_AGAIN))
    last = looks[-1].trial
    if again.powerful and not again.doubt:
        unlike = last.suspicious or last.doubt
        return _settled(looks, doubt=ONE_SEED if unlike else "", kinds=first.trial.kinds & last.kinds)
    if "astray everywhere" not in unexcused and (last.doubt or not (last.powerful or again.doubt)):
        return _untestable(looks)
    return _settled(
        looks, doubt=f"{says(looks[2])}, unlike of a retrained model", kinds=first.trial.kinds & again.kinds
    )


def _failing(looks: list[Attempt]) -> Attempt:
    """The last look confirms what the first one raised."""
    trial = replace(
        looks[0].trial, suspicious=True, powerful=True, doubt="", kinds=frozenset(), trainings=_trainings(looks)
    )
    return Attempt(trial, looks[-1].error, looks[-1].evidence, fails=True)


def _settled(looks: list[Attempt], *, doubt: str = "", kinds: frozenset[str] = frozenset()) -> Attempt:
    """Nothing is confirmed; a doubt may stand."""
    first = looks[0]
    trial = replace(first.trial, doubt=doubt, kinds=kinds, trainings=_trainings(looks))
    return Attempt(trial, first.error, rejected=says(looks[1]) if first.trial.suspicious else "")


def _untestable(looks: list[Attempt], why: str = NO_BETTER) -> Attempt:
    """Nothing can be told here: what is seen is seen in an honest model as well, or once and never again."""
    settled = _settled(looks)
    return replace(settled, trial=replace(settled.trial, powerful=False, obstacle=why))


def _trainings(looks: list[Attempt]) -> int:
    return sum(look.trial.trainings for look in looks)


def says(seen: Attempt) -> str:
    """What a look gave, in a line."""
    if seen.evidence is not None:
        return str(seen.evidence.verdict)
    if seen.error is not None:
        return f"{type(seen.error).__name__}: {str(seen.error).split(chr(10))[0].rstrip('.')}"
    return seen.trial.obstacle or "it held"


def guarded(bench: Bench, request: ForgetRequest, look: Callable[[], Attempt]) -> Attempt:
    """A look that is not taken, or does not count, where nothing can be asked of any method.

    What the method or the test raises is theirs, unless the recipe cannot be trained on what is left either.

    Raises:
        BaseException: what neither of them raised, such as an interrupt.
    """
    steps = bench.steps(request)
    if obstacle := bench.obstacle(steps):
        return Attempt(bench.untested(request, obstacle))
    try:
        return look()
    except BaseException as error:
        names = {kind.__name__ for kind in type(error).__mro__}
        outcome = "OutcomeException" in names  # of pytest: not an Exception
        if not (outcome or isinstance(error, Exception)) or {"Exit", "FlakyFailure", "InvalidArgument"} & names:
            raise
        if {"Skipped", "UnsatisfiedAssumption", "Unsupported"} & names:
            return Attempt(bench.untested(request, f"left out ({type(error).__name__})"))
        if why := bench.why_not_trained(steps):
            return Attempt(bench.untested(request, f"the recipe cannot be trained on what is left ({why})"))
        return Attempt(bench.crashed(request, error), error)


def task_for(bench: Bench, request: ForgetRequest, stage: Stage) -> UnlearningTask:
    """The task to audit a request with: references and controls of this stage."""
    split = bench.task.split
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a request may well ask for some rows of a group only
        asked = Split(
            split.train,
            np.unique(np.concatenate(bench.steps(request))),
            split.test,
            controls=bench.controls(stage.half),
            groups=split.groups,
            match=split.match,
            control_groups=bench.control_groups(stage.half),
        )
    task = UnlearningTask(
        asked,
        bench.task.recipe,
        original=bench.task.original,
        references=stage.references,
        seed=bench.task.seed + stage.first_seed,
        cache_dir=bench.task.store.directory,
        device=bench.task.device,
        n_jobs=bench.task.n_jobs,
        fresh=bench.task.fresh,
    )
    task.progress = bench.task.progress
    return task


def unlearned(bench: Bench, request: ForgetRequest, stage: Stage) -> UnlearnedRequest:
    """What the method leaves of the original after a request, and the task to audit it with."""
    return UnlearnedRequest(bench.model(request, stage), task_for(bench, request, stage))


def confirm(bench: Bench, request: ForgetRequest, stage: Stage = CONFIRMATION) -> Evidence:
    """The evidence on one request by the full audit, none of whose parts the search has touched but the original."""
    seen = unlearned(bench, request, stage)
    return audit_forgotten(seen.model, seen.task.forget, bench.limit, confidence=bench.confidence)


def look(bench: Bench, request: ForgetRequest, stage: Stage) -> Attempt:
    """Screen a request while searching; audit it in every other stage."""

    def looked() -> Attempt:
        if stage.half == 0:
            return Attempt(bench.screened(request, bench.model(request, stage), stage))
        evidence = confirm(bench, request, stage)
        trial = trial_of(bench.untested(request, ""), evidence.to_json(), stage.references + 1)
        return Attempt(trial, evidence=evidence)

    return guarded(bench, request, looked)
