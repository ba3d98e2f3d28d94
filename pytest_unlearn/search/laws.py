"""Metamorphic laws of unlearning: two ways to ask for the same thing come to the same, but for the seed."""

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
from pytest_unlearn.search.confirmation import Attempt
from pytest_unlearn.search.equivalence import Gap, Ground, shift
from pytest_unlearn.search.families import resolve
from pytest_unlearn.search.hypothesis_engine import explore
from pytest_unlearn.search.request import COMPOSED, ForgetRequest
from pytest_unlearn.search.screening import Bench, Trial
from pytest_unlearn.search.strategies import ALL, LARGEST_SHARE, available, forget_sets
from pytest_unlearn.search.survives import check
from pytest_unlearn.task import UnlearningTask

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

SAME = 1e-4  # probability that may move between two evaluations of one model
SHARE = 8  # a batch is made smaller by this share
SMALLEST = 10  # examples of a request, below which a mean over them says little
COSTLY = ("single", "memorised")  # too few examples, or ten models more
SHRINKING = 10
FRESH_SEED = 500
RUNS = 10  # models made for a law, at most, and models retrained


@dataclass(frozen=True)
class Law:
    """What is to hold of any request. `gaps` are what lies between the two sides; `two` requests, or one."""

    name: str
    states: str
    gaps: Callable[[Ground], list[Gap]]
    two: bool = False

    def __str__(self) -> str:
        return self.name


def empty_request(ground: Ground) -> list[Gap]:
    """Where nothing is to be forgotten the model stays what it was."""
    original, nothing = ground.task.original, ground.first[:0]
    return ground.gaps(ground.run(original, nothing), original, ground.retrained_without(nothing))


def order(ground: Ground) -> list[Gap]:
    """The order in which the examples are named changes nothing."""
    original = ground.task.original
    turned = np.random.default_rng(ground.seed).permutation(ground.first)[::-1]
    return ground.gaps(ground.run(original, ground.first), ground.run(original, turned))


def batch_size(ground: Ground) -> list[Gap]:
    """Answers do not depend on what else is in a batch, nor the model on batches that are a little smaller."""
    left = ground.run(ground.task.original, ground.first)
    gaps = []
    for view in ground.places():
        together, apart = (ground.probabilities(left, view, batch_size=size) for size in (256, 7))
        moved = np.abs(together - apart).sum(axis=1) / 2
        gaps.append(Gap(f"{view.name}, in other batches,", float(moved.mean()), SAME, bool(moved.max() > SAME)))
    size = getattr(ground.bench.unlearner, "batch_size", None)
    if isinstance(size, int) and size > 1:
        method = copy.copy(ground.bench.unlearner)
        object.__setattr__(method, "batch_size", size - max(1, size // SHARE))
        gaps += ground.gaps(left, ground.run(ground.task.original, ground.first, method=method))
    return gaps


def monotonicity(ground: Ground) -> list[Gap]:
    """Who asks for more does not keep more: the first request is forgotten within a larger one as it is by itself.

    What else is gone may make an example's label plainer, as it does to a retrained model; so much is allowed for.
    """
    asked = ground.view("forget", ground.first)

    def known(models: Sequence[Any]) -> FloatArray:
        return np.asarray(np.mean([ground.of_the_label(model, asked) for model in models], axis=0))

    alone, within = (ground.run(ground.task.original, rows) for rows in (ground.first, ground.both))
    without_it, without_both = ground.retrained_without(ground.first), ground.retrained
    kept, expected = known([within]) - known([alone]), known(without_both) - known(without_it)
    chance = ground.chance(asked, without_both, without_it)
    return [shift("the labels of the first request", kept - expected, chance, gained=True)]


def idempotence(ground: Ground) -> list[Gap]:
    """To ask for the same thing again changes nothing."""
    once = ground.run(ground.task.original, ground.first)
    return ground.gaps(once, ground.run(once, ground.first))


def commutation(ground: Ground) -> list[Gap]:
    """Two requests in a row, in either order, come to the same as both at once."""
    original = ground.task.original
    at_once = ground.run(original, ground.both)
    gaps = []
    for one, other in ((ground.first, ground.second), (ground.second, ground.first)):
        gaps += ground.gaps(ground.run(ground.run(original, one), other, gone=one), at_once)
    return gaps


def determinism(ground: Ground) -> list[Gap]:
    """One seed gives one model."""
    # Not by way of the cache, which would hand over the first model.
    original, retain = ground.task.original, np.setdiff1d(np.arange(ground.bench.facts.count), ground.first)
    views = ground.view("retain", retain), ground.view("forget", ground.first)
    one, other = (ground.bench.unlearner(original, *views, seed=ground.seed) for _ in range(2))
    gaps = []
    for view in ground.places():
        moved = np.abs(ground.probabilities(one, view) - ground.probabilities(other, view)).sum(axis=1) / 2
        gaps.append(Gap(view.name, float(moved.mean()), SAME, bool(moved.max() > SAME)))
    return gaps


def corrupting_requests(ground: Ground) -> list[Gap]:
    """Examples named twice, all of a class but one, or of train but one: a usable model, or an error that says why."""
    bench, original = ground.bench, ground.task.original
    twice = ground.run(original, np.repeat(ground.first, 2))
    for family in ("class-but-one", "all-but-one"):
        (forget,) = resolve(ForgetRequest(family), bench.facts)
        try:
            answers = ground.probabilities(ground.run(original, forget), bench.facts.held_out)
        except ValueError as error:
            said = any(word in str(error).lower() for word in ("retain", "forget"))
            if not said and not bench.why_not_trained((forget,)):
                raise
            continue
        if np.ptp(answers, axis=0).max() == 0 and not _constant(ground, forget):
            raise ValueError("the model answers alike to everything, where a retrained one does not")
    return ground.gaps(ground.run(original, ground.first), twice)


def _constant(ground: Ground, forget: IntArray) -> bool:
    """Whether a model trained on what is left answers alike to everything; one that cannot be trained, too."""
    if ground.bench.why_not_trained((forget,)):
        return True
    answers = ground.probabilities(ground.retrained_without(forget)[0], ground.bench.facts.held_out)
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
    """A method breaks a law; the message names the request, and how far apart the two sides are."""


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

    Args:
        law: one of `LAWS`.
        unlearner: the method.
        task: what was trained on, and how; its own forget set plays no part.
        families: names of request families; by default all that need no other models.
        sizes: the smallest and largest request; by default from 10 examples to a fifth of train.
        budget: how many requests to try, for how long, or a `Budget`.
        key: names the test in Hypothesis's example database, which keeps what failed.

    Raises:
        LawBroken: on the smallest request found; a crash of the method is its cause.
        Unsupported: what the method raises where it does not apply.
        ValueError: a task without a recipe, or no request on which the law could be checked.
        TypeError: a method that cannot be called, or something other than a law or a task.
    """
    if not isinstance(law, Law):
        raise TypeError(f"a law is one of LAWS, not {law!r}.")
    check(unlearner, task)
    bench, bound = Bench(task, unlearner, MAX_MIA_AUC, CONFIDENCE), as_budget(budget)
    refused: list[Exception] = []

    def attempt(request: ForgetRequest) -> Attempt:
        plain = replace(bench.untested(request, ""), trainings=RUNS)
        try:
            seen = _looked_at(law, bench, request, plain)
        except Exception as error:
            if not any(kind.__name__ == "Unsupported" for kind in type(error).__mro__):
                raise
            refused.append(error)
            seen = Attempt(replace(plain, obstacle="unsupported"))
        tell(seen.trial)
        return seen

    requests = _requests(task, families, sizes, two=law.two)
    with told(task.progress, bound.requests, f"law of {law}", str) as tell:
        tried = explore(requests, attempt, budget=bound, key=f"{key} {law}", shrinking=SHRINKING)
    failing = [seen for seen in tried if seen.fails]
    if failing:
        smallest = min(failing, key=lambda seen: seen.trial.examples)
        raise LawBroken(
            f"{law}: {law.states}. Not so here, twice: {smallest.trial.attack}. "
            f"The request: {smallest.trial.request!r} ({smallest.trial.examples} examples)"
        ) from smallest.error
    if all(seen.trial.obstacle for seen in tried):
        if refused:
            raise refused[-1]
        why = tried[-1].trial.obstacle if tried else "none was drawn"
        raise ValueError(f"the law of {law} could not be checked on any of {len(tried)} requests: {why}.")


def _looked_at(law: Law, bench: Bench, request: ForgetRequest, plain: Trial) -> Attempt:
    """Whether the law holds of a request; it is broken if it is so twice."""
    if plain.examples == bench.facts.count:
        return Attempt(replace(plain, obstacle="nothing would be left to train on"))
    seed = bench.task.seed
    says, error = _broken(law, Ground(bench, request, seed))
    if not says:
        return Attempt(plain)
    # Chance does not break it again: neither under another seed, nor beside other retrained models.
    fresh = (Ground(bench, request, seed + FRESH_SEED), Ground(bench, request, seed, beside=FRESH_SEED))
    says, error = next((found for found in (_broken(law, ground) for ground in fresh) if found[0]), ("", None))
    if not says:
        return Attempt(plain)
    if error is not None and (why := bench.why_not_trained(bench.steps(request))):
        return Attempt(replace(plain, obstacle=f"the recipe cannot be trained on what is left ({why})"))
    return Attempt(replace(plain, suspicious=True, attack=says), error, fails=True)


def _broken(law: Law, ground: Ground) -> tuple[str, Exception | None]:
    """How the law is broken on this ground, and what the method raised; empty if it holds."""
    try:
        certain = [seen for seen in law.gaps(ground) if seen.certain]
    except Exception as error:
        if any(kind.__name__ in ("Unsupported", "HypothesisException") for kind in type(error).__mro__):
            raise
        return f"the method raised {type(error).__name__}: {str(error).rstrip('.')}", error
    return str(max(certain, key=lambda seen: seen.moved - seen.allowed)) if certain else "", None


def _requests(
    task: UnlearningTask, families: Sequence[str] | None, sizes: tuple[int, int] | None, *, two: bool
) -> SearchStrategy[ForgetRequest]:
    """One request, or two different ones in a row."""
    from hypothesis import strategies as st

    usual = [name for name in ALL if name not in (*COMPOSED, *COSTLY, "group")]
    names = [name for name in available(families, groups=True) if name not in COMPOSED] if families else usual
    if not names:
        raise ValueError(f"laws are checked on single requests, which {', '.join(COMPOSED)} are made of.")
    largest = max(1, len(task.split.train) // LARGEST_SHARE)
    one = forget_sets(task.split, names, sizes or (min(SMALLEST, largest), largest))
    if not two:
        return one
    pairs = st.tuples(one, one).filter(lambda parts: parts[0] != parts[1])
    return pairs.map(lambda parts: ForgetRequest("sequence", parts=parts))
