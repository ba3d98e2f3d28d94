"""Search, shrink, confirm: find a request that the method fails on, make it small, and look again with fresh eyes.

The worst of many noisy estimates is beyond any limit by luck. So the search only raises suspicion; what fails a test
is a new audit of the one request it chose, with fresh seeds, fresh controls and models retrained without that request.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from pytest_unlearn.evidence import Evidence, Verdict
from pytest_unlearn.stress.families import FAMILIES
from pytest_unlearn.stress.requests import ForgetRequest
from pytest_unlearn.stress.trial import Bench, Trial

PLAINER = ("random", "whole-class")
MOST_SHRINKING = 40


@dataclass(frozen=True)
class Search:
    """What a search did: every trial, those that raised suspicion, and the confirmed failure if there is one.

    `rejected` are suspicions that fresh seeds, controls and references did not bear out.
    """

    trials: tuple[Trial, ...]
    shrinking: int = 0
    failure: Trial | None = None
    evidence: Evidence | None = None
    rejected: tuple[tuple[Trial, Evidence], ...] = ()

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
    confirm: Callable[[Bench, ForgetRequest], Evidence],
    *,
    budget: int,
    seconds: float | None = None,
    watch: Callable[[Trial], None] = lambda _: None,
) -> Search:
    """Try requests until one is confirmed to fail, or `budget` of them, or `seconds`, are spent.

    Args:
        bench: where requests are tried.
        requests: which, in order.
        confirm: the audit with fresh seeds, controls and references, whose FAIL alone counts.
        budget: how many requests to try; making a found one smaller takes up to 40 more.
        seconds: after how long no further request is begun.
        watch: told of each trial.
    """
    started = time.monotonic()
    trials: list[Trial] = []
    rejected: list[tuple[Trial, Evidence]] = []
    for request in itertools.islice(requests, budget):
        if seconds is not None and time.monotonic() - started > seconds:
            break
        trial = bench.try_request(request)
        watch(trial)
        trials.append(trial)
        if not trial.suspicious:
            continue
        smallest, tried = shrink(bench, trial)
        for candidate in dict.fromkeys((smallest, trial)):
            evidence = confirm(bench, candidate.request)
            if evidence.verdict is Verdict.FAIL:
                return Search(tuple(trials), tried, candidate, evidence, tuple(rejected))
        rejected.append((trial, evidence))
    return Search(tuple(trials), rejected=tuple(rejected))


def shrink(bench: Bench, found: Trial, most: int = MOST_SHRINKING) -> tuple[Trial, int]:
    """The smallest and plainest request near a suspicious one that is suspicious too, and how many were tried."""
    tried = 0
    seen = {found.request}
    while tried < most:
        for request in simpler(found.request):
            if request in seen or tried >= most:
                continue
            seen.add(request)
            tried += 1
            trial = bench.try_request(request)
            if trial.suspicious and trial.examples <= found.examples:
                found = trial
                break
        else:
            break
    return found, tried


def simpler(request: ForgetRequest) -> Iterator[ForgetRequest]:
    """Simpler requests: smaller ones of the same kind first, then plainer families of the same size."""
    yield from request.smaller()
    for family in PLAINER:
        if not request.parts and list(FAMILIES).index(family) < list(FAMILIES).index(request.family):
            yield replace(request, family=family, space="input")
