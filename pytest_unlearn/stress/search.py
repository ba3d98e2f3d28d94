"""Search, confirm, shrink: find a request that the method fails on, look again with fresh eyes, and make it small.

The worst of many noisy estimates is beyond any limit by luck. So the search only raises suspicion; what fails a test
is a new audit of the one request it chose, with fresh seeds, fresh controls and models retrained without that request.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from pytest_unlearn.evidence import Evidence, Verdict
from pytest_unlearn.stress.budget import Budget
from pytest_unlearn.stress.families import FAMILIES, resolve
from pytest_unlearn.stress.requests import ForgetRequest
from pytest_unlearn.stress.trial import Bench, Trial

MOST_SHRINKING = 40
Confirm = Callable[[Bench, ForgetRequest], Evidence]


@dataclass(frozen=True)
class Search:
    """What a search did: every trial, and the confirmed failure if there is one.

    `failure` is what became of the trial `first`, made smaller; `evidence` confirms it, or `says` what was raised.
    `rejected` are suspicions that fresh seeds, controls and references did not bear out, with what these gave instead.
    `shrinking` counts the requests that were tried to make a found one smaller. `replay` is the line that audits the
    failing request again, if that is not the usual one.
    """

    trials: tuple[Trial, ...]
    shrinking: int = 0
    first: Trial | None = None
    failure: Trial | None = None
    evidence: Evidence | None = None
    says: str = ""
    rejected: tuple[tuple[Trial, str], ...] = ()
    replay: str = ""

    @property
    def suspicious(self) -> tuple[Trial, ...]:
        """The trials that raised suspicion."""
        return tuple(trial for trial in self.trials if trial.suspicious)

    @property
    def worst(self) -> Trial | None:
        """The trial whose estimate is furthest from 0.5 for certain."""
        return max(self.trials, key=lambda trial: trial.excess, default=None)


def search(
    bench: Bench,
    requests: Iterable[ForgetRequest],
    confirm: Confirm,
    *,
    budget: Budget,
    watch: Callable[[Iterator[Trial]], Iterable[Trial]] = lambda trials: trials,
) -> Search:
    """Try requests until one is confirmed to fail, or the budget is spent.

    Args:
        bench: where requests are tried.
        requests: which, in order.
        confirm: the audit with fresh seeds, controls and references, whose FAIL alone counts.
        budget: how many requests, trainings or seconds; making a found one smaller takes up to 40 more requests.
        watch: passes the trials on as they come, and shows them to somebody.
    """
    started = time.monotonic()
    trials: list[Trial] = []
    rejected: list[tuple[Trial, str]] = []
    trainings = 0

    def tried() -> Iterator[Trial]:
        for request in requests:
            if trials and budget.spent(requests=len(trials), trainings=trainings, seconds=time.monotonic() - started):
                return
            yield bench.try_request(request)

    for trial in watch(tried()):
        trials.append(trial)
        trainings += trial.trainings
        if not trial.suspicious:
            continue
        evidence = confirm(bench, trial.request)
        if evidence.verdict is not Verdict.FAIL:
            rejected.append((trial, str(evidence.verdict)))
            continue
        smallest, evidence, more = shrink(bench, trial, evidence, confirm)
        return Search(
            tuple(trials), len(more), first=trial, failure=smallest, evidence=evidence, rejected=tuple(rejected)
        )
    return Search(tuple(trials), rejected=tuple(rejected))


def shrink(
    bench: Bench, found: Trial, evidence: Evidence, confirm: Confirm, most: int = MOST_SHRINKING
) -> tuple[Trial, Evidence, list[Trial]]:
    """Ever smaller and plainer requests near one that fails, each of them confirmed to fail.

    Returns:
        The smallest of them, its evidence, and every request that was tried for it.
    """
    smallest, tried = found, {_examples(bench, found.request): found}
    while True:
        for request in simpler(smallest):
            examples = _examples(bench, request)
            if examples in tried:  # another family may name the same examples
                continue
            if len(tried) > most:
                return smallest, evidence, list(tried.values())[1:]
            trial = tried[examples] = bench.try_request(request)
            if trial.suspicious and trial.examples <= smallest.examples:
                again = confirm(bench, request)
                if again.verdict is Verdict.FAIL:
                    smallest, evidence = trial, again
                    break
        else:
            return smallest, evidence, list(tried.values())[1:]


def _examples(bench: Bench, request: ForgetRequest) -> tuple[bytes, ...]:
    """The examples that a request names, step by step."""
    return tuple(step.tobytes() for step in resolve(request, bench.facts))


def simpler(found: Trial) -> Iterator[ForgetRequest]:
    """Simpler requests: half as many examples of the same kind, then of any other, then three quarters as many."""
    request = found.request
    if request.parts:
        yield from request.smaller()
        return
    half, most = found.examples // 2, found.examples * 3 // 4
    yield from _alike(request, half)
    yield from _of_any_family(request, half, seed=0)
    yield from _alike(request, most)
    yield from _of_any_family(request, half, seed=1)
    yield from _of_any_family(request, most, seed=0)
    if request.seed:
        yield replace(request, seed=0)


def _alike(request: ForgetRequest, size: int) -> Iterator[ForgetRequest]:
    """The same draw, or the first, with another size."""
    yield from (replace(request, size=size, seed=seed) for seed in dict.fromkeys((request.seed, 0)) if size)


def _of_any_family(request: ForgetRequest, size: int, seed: int) -> Iterator[ForgetRequest]:
    """A draw of this size from every family, of the same class where there is one."""
    for family in FAMILIES:
        if size and family not in ("single", "whole-class", "group"):
            yield ForgetRequest(family, size=size, seed=seed, label=request.label if family == "class-fraction" else 0)
