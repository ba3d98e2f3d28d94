"""Search, confirm, shrink: find a request that the method fails on, look again with fresh eyes, and make it small."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from pytest_unlearn.stress.attempt import Attempt, Look, scrutinise
from pytest_unlearn.stress.budget import Budget
from pytest_unlearn.stress.families import FAMILIES
from pytest_unlearn.stress.requests import ForgetRequest
from pytest_unlearn.stress.trial import Bench, Trial

MOST_SHRINKING = 40


@dataclass(frozen=True)
class Search:
    """What a search did: every attempt, and what the first failure was made smaller to, if there is one.

    `shrinking` counts the requests that were tried for that.
    """

    attempts: tuple[Attempt, ...]
    shrinking: int = 0
    failure: Attempt | None = None

    @property
    def trials(self) -> tuple[Trial, ...]:
        """What each request came to."""
        return tuple(attempt.trial for attempt in self.attempts)

    @property
    def first(self) -> Trial | None:
        """The failure as it was found."""
        return next((attempt.trial for attempt in self.attempts if attempt.fails), None)

    @property
    def suspicious(self) -> tuple[Trial, ...]:
        """The trials that raised suspicion."""
        return tuple(trial for trial in self.trials if trial.suspicious)

    @property
    def worst(self) -> Trial | None:
        """The trial whose estimate is furthest from 0.5 for certain."""
        return max((trial for trial in self.trials if not trial.obstacle), key=lambda trial: trial.excess, default=None)


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
