"""One request looked into: at first, and where that sees something, with fresh eyes and beside a retrained model.

The worst of many noisy estimates is beyond any limit by luck. So a first look only raises suspicion; what fails a test
is a new audit of that one request, with fresh seeds, fresh controls and models retrained without it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_unlearn.evidence import Evidence
from pytest_unlearn.stress.requests import ForgetRequest
from pytest_unlearn.stress.stages import CONFIRMATION, HONEST, SAME_MODEL, SEARCH, Stage

if TYPE_CHECKING:
    from pytest_unlearn.stress.trial import Bench, Trial


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
    seen = first.trial
    if not (seen.suspicious or seen.doubt):
        return first
    looks = [first]
    if seen.suspicious:
        looks.append(look(request, CONFIRMATION))
        if looks[-1].trial.suspicious or not settle:
            return _after(looks)
    looks.append(look(request, HONEST))
    honest = looks[-1].trial
    if honest.suspicious or honest.doubt or honest.obstacle:
        return _after(looks, obstacle="a model retrained without it looks no better", doubt="", invalid=False)
    if not seen.suspicious:
        looks.append(look(request, CONFIRMATION))
    again = looks[-1] if not seen.suspicious else looks[1]
    if again.trial.suspicious:
        return _after(looks)
    if again.trial.doubt or not again.trial.powerful:
        return _after(
            looks, doubt=f"{says(again)}, unlike of a retrained model", invalid=seen.invalid and again.trial.invalid
        )
    if seen.suspicious:
        looks.append(look(request, SAME_MODEL))
        if looks[-1].trial.suspicious:
            return _after(looks, doubt="one seed of the method leaves it recognisable, another does not")
    return _after(looks, doubt="", invalid=False)


def _after(looks: list[Attempt], **change: object) -> Attempt:
    """The first look's trial, in the light of the others."""
    first, *others = looks
    trainings = sum(one.trial.trainings for one in looks)
    trial = replace(first.trial, trainings=trainings, powerful=first.trial.powerful and "obstacle" not in change)
    trial = replace(trial, **change)  # type: ignore[arg-type]
    confirming = next((one for one in others if one.trial.suspicious and not change), None)
    if confirming is not None:
        trial = replace(trial, suspicious=True, powerful=True, doubt="", invalid=False)
        return Attempt(trial, confirming.error, confirming.evidence, fails=True)
    rejected = says(others[0]) if first.trial.suspicious else ""
    return Attempt(trial, first.error, rejected=rejected)


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
