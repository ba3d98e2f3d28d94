"""Laws of unlearning: equivalent requests give equal models, but for the seed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_unlearn.core.evidence import FloatArray, IntArray
from pytest_unlearn.core.progress import told
from pytest_unlearn.core.settings import CONFIDENCE, MAX_MIA_AUC
from pytest_unlearn.search.budget import Budget, as_budget
from pytest_unlearn.search.confirmation import Attempt, class_names
from pytest_unlearn.search.equivalence import Gap, LawContext, any_gap, shift
from pytest_unlearn.search.families import resolve
from pytest_unlearn.search.hypothesis_engine import explore, search_of
from pytest_unlearn.search.request import COMPOSED, ForgetRequest
from pytest_unlearn.search.screening import RequestResult, RequestRunner
from pytest_unlearn.search.strategies import ALL, available, forget_sets, largest_request
from pytest_unlearn.search.survives import check
from pytest_unlearn.task import UnlearningTask

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

SHARE = 8  # a batch is made smaller by this share
SMALLEST = 10  # examples of a request, below which a mean over them says little
COSTLY = ("single", "memorised")  # too few examples, or ten models more
SHRINKING = 10
FRESH_SEED = 500
RUNS = 10  # models made for a law, at most, and models retrained


@dataclass(frozen=True)
class Law:
    """A law of any request, or of `two` in a row, by the `gaps` of its two sides."""

    name: str
    states: str
    gaps: Callable[[LawContext], list[Gap]]
    two: bool = False

    def __str__(self) -> str:
        return self.name


def empty_request(context: LawContext) -> list[Gap]:
    """Check that the model stays what it was where nothing is to be forgotten."""
    original, nothing = context.task.original, context.first[:0]
    return context.gaps(context.run(original, nothing), original, context.retrained_without(nothing))


def order(context: LawContext) -> list[Gap]:
    """Check that the order in which the examples are named changes nothing."""
    original = context.task.original
    turned = np.random.default_rng(context.seed).permutation(context.first)[::-1]
    return context.gaps(context.run(original, context.first), context.run(original, turned))


def batch_size(context: LawContext) -> list[Gap]:
    """Check that answers ignore the batch, and the model a slightly smaller one."""
    left = context.run(context.task.original, context.first)
    gaps = []
    for view in context.views():
        answers = (context.probabilities(left, view, batch_size=size) for size in (256, 7))
        gaps.append(any_gap(f"{view.name}, in other batches,", *answers))
    size = getattr(context.runner.unlearner, "batch_size", None)
    if isinstance(size, int) and size > 1:
        method = copy.copy(context.runner.unlearner)
        object.__setattr__(method, "batch_size", size - max(1, size // SHARE))
        gaps += context.gaps(left, context.run(context.task.original, context.first, method=method))
    return gaps


def monotonicity(context: LawContext) -> list[Gap]:
    """Check that asking for more does not keep more.

    The first request is forgotten within a larger one as it is by itself. What else is gone may make an example's label
    plainer, as it does to a retrained model; so much is allowed for.
    """
    asked = context.view("forget", context.first)

    def probability(models: Sequence[Any]) -> FloatArray:
        return np.asarray(np.mean([context.label_probabilities(model, asked) for model in models], axis=0))

    alone, within = (context.run(context.task.original, rows) for rows in (context.first, context.both))
    without_it, without_both = context.retrained_without(context.first), context.retrained
    kept = probability([within]) - probability([alone])
    expected = probability(without_both) - probability(without_it)
    chance = context.label_chance(asked, without_both, without_it)
    return [shift("the labels of the first request", kept - expected, chance, gained=True)]


def idempotence(context: LawContext) -> list[Gap]:
    """Check that asking for the same thing again changes nothing."""
    once = context.run(context.task.original, context.first)
    return context.gaps(once, context.run(once, context.first))


def commutation(context: LawContext) -> list[Gap]:
    """Check that two requests, in either order, come to the same as both at once."""
    original = context.task.original
    at_once = context.run(original, context.both)
    gaps = []
    for one, other in ((context.first, context.second), (context.second, context.first)):
        gaps += context.gaps(context.run(context.run(original, one), other, gone=one), at_once)
    return gaps


def determinism(context: LawContext) -> list[Gap]:
    """Check that one seed gives one model."""
    # Not by way of the cache, which would hand over the first model.
    original, retain = context.task.original, np.setdiff1d(np.arange(context.runner.stats.count), context.first)
    views = context.view("retain", retain), context.view("forget", context.first)
    one, other = (context.runner.unlearner(original, *views, seed=context.seed) for _ in range(2))
    return [any_gap(v.name, *(context.probabilities(model, v) for model in (one, other))) for v in context.views()]


def corrupting_requests(context: LawContext) -> list[Gap]:
    """Check that odd requests leave a usable model, or raise an error with reasons.

    Examples are named twice; all of a class are asked for but one, and all of train but one.
    """
    runner, original = context.runner, context.task.original
    twice = context.run(original, np.repeat(context.first, 2))
    for family in ("class-but-one", "all-but-one"):
        (forget,) = resolve(ForgetRequest(family), runner.stats)
        try:
            answers = context.probabilities(context.run(original, forget), runner.stats.held_out)
        except ValueError as error:
            explained = any(word in str(error).lower() for word in ("retain", "forget"))
            if not explained and not runner.why_not_trained((forget,)):
                raise
            continue
        if np.ptp(answers, axis=0).max() == 0 and not _constant(context, forget):
            raise ValueError("the model answers alike to everything, where a retrained one does not")
    return context.gaps(context.run(original, context.first), twice)


def _constant(context: LawContext, forget: IntArray) -> bool:
    """Tell whether a retrained model answers alike to everything, or there is none."""
    if context.runner.why_not_trained((forget,)):
        return True
    answers = context.probabilities(context.retrained_without(forget)[0], context.runner.stats.held_out)
    return bool(np.ptp(answers, axis=0).max() == 0)


LAWS = (
    Law("empty-request", "an empty request changes nothing", empty_request),
    Law("order", "the order of the forget set changes nothing", order),
    Law("batch-size", "the size of batches changes nothing", batch_size),
    Law("monotonicity", "a request is forgotten within a larger one as it is by itself", monotonicity, two=True),
    Law("idempotence", "asking twice changes nothing", idempotence),
    Law(
        "commutation", "two requests in a row come to the same as both at once, in either order", commutation, two=True
    ),
    Law("determinism", "one seed gives one model", determinism),
    Law(
        "corrupting-requests",
        "to name examples twice changes nothing, and what is left of a class or of all is usable, or an error says why",
        corrupting_requests,
    ),
)


class LawBroken(AssertionError):  # noqa: N818 - an assertion that failed, not an error
    """Raised for a method that breaks a law; the message has request and gap."""


def check_law(
    law: Law,
    unlearner: Any,
    task: UnlearningTask,
    *,
    families: Sequence[str] | None = None,
    sizes: tuple[int, int] | None = None,
    budget: int | timedelta | Budget = 4,
    key: str = "",
) -> None:
    """Look for a request on which a method breaks a law, and make it smaller.

    Two sides of a law may be as far apart as retrained models are that differ by their seed only, a quarter as far
    again, and a little. A request counts only if it breaks the law once more, under another seed or beside other
    retrained models.

    Arguments as in `unlearning_laws`; `key` names the test in Hypothesis's example database.

    Raises:
        LawBroken: on the smallest request found; a crash of the method is its cause.
        Unsupported: what the method raises where it does not apply.
        ValueError: a task without a recipe, or no request on which the law could be checked.
        TypeError: a method that cannot be called, or something other than a law or a task.
    """
    if not isinstance(law, Law):
        raise TypeError(f"a law is one of LAWS, not {law!r}.")
    check(unlearner, task)
    runner, bound = RequestRunner(task, unlearner, MAX_MIA_AUC, CONFIDENCE), as_budget(budget)
    refused: list[Exception] = []

    def attempt(request: ForgetRequest) -> Attempt:
        plain = replace(runner.blank_result(request, ""), trainings=RUNS)
        try:
            checked = _check_request(law, runner, request, plain)
        except Exception as error:
            if "Unsupported" not in class_names(error):
                raise
            refused.append(error)
            checked = Attempt(replace(plain, obstacle="unsupported"))
        tell(checked.result)
        return checked

    requests = _requests(task, families, sizes, two=law.two)
    with told(task.progress, bound.requests, f"law of {law}", str) as tell:
        tried = explore(requests, attempt, budget=bound, key=f"{key} {law}", shrinking=SHRINKING)
    if smallest := search_of(tried).failure:
        raise LawBroken(
            f"{law}: {law.states}. Not so here, twice: {smallest.result.attack}. "
            f"The request: {smallest.result.request!r} ({smallest.result.examples} examples)"
        ) from smallest.error
    if all(attempt.result.obstacle for attempt in tried):
        if refused:
            raise refused[-1]
        why = tried[-1].result.obstacle if tried else "none was drawn"
        raise ValueError(f"the law of {law} could not be checked on any of {len(tried)} requests: {why}.")


def _check_request(law: Law, runner: RequestRunner, request: ForgetRequest, plain: RequestResult) -> Attempt:
    """Check a law on a request; it is broken if it is so twice."""
    if plain.examples == runner.stats.count:
        return Attempt(replace(plain, obstacle="nothing would be left to train on"))
    seed = runner.task.seed
    how, error = _broken(law, LawContext(runner, request, seed))
    if not how:
        return Attempt(plain)
    # Chance does not break it again: neither under another seed, nor beside other retrained models.
    others = LawContext(runner, request, seed + FRESH_SEED), LawContext(runner, request, seed, FRESH_SEED)
    how, error = next((broken for broken in (_broken(law, context) for context in others) if broken[0]), ("", None))
    if not how:
        return Attempt(plain)
    if error is not None and (why := runner.why_not_trained(runner.steps(request))):
        return Attempt(replace(plain, obstacle=f"the recipe cannot be trained on what is left ({why})"))
    return Attempt(replace(plain, suspicious=True, attack=how), error, fails=True)


def _broken(law: Law, context: LawContext) -> tuple[str, Exception | None]:
    """Say how the law is broken, and what the method raised; empty if it holds."""
    try:
        certain = [gap for gap in law.gaps(context) if gap.certain]
    except Exception as error:
        if {"Unsupported", "HypothesisException"} & class_names(error):
            raise
        return f"the method raised {type(error).__name__}: {str(error).rstrip('.')}", error
    return str(max(certain, key=lambda gap: gap.moved - gap.allowed)) if certain else "", None


def _requests(
    task: UnlearningTask, families: Sequence[str] | None, sizes: tuple[int, int] | None, *, two: bool
) -> SearchStrategy[ForgetRequest]:
    """Draw one request, or two different ones in a row."""
    from hypothesis import strategies as st

    usual = [name for name in ALL if name not in (*COMPOSED, *COSTLY, "group")]
    names = [name for name in available(families, groups=True) if name not in COMPOSED] if families else usual
    if not names:
        raise ValueError(f"laws are checked on single requests, which {', '.join(COMPOSED)} are made of.")
    largest = largest_request(task.split)
    one = forget_sets(task.split, names, sizes or (min(SMALLEST, largest), largest))
    if not two:
        return one
    pairs = st.tuples(one, one).filter(lambda parts: parts[0] != parts[1])
    return pairs.map(lambda parts: ForgetRequest("sequence", parts=parts))
