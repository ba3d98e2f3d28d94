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
    shrinking = 0
    for request in itertools.islice(requests, budget):
        if seconds is not None and time.monotonic() - started > seconds:
            break
        trial = bench.try_request(request)
        watch(trial)
        trials.append(trial)
        if not trial.suspicious:
            continue
        chain, tried = shrink(bench, trial)
        shrinking += tried
        for candidate in reversed(chain):  # the smallest first; a small one may be too few to be confirmed
            evidence = confirm(bench, candidate.request)
            if evidence.verdict is Verdict.FAIL:
                return Search(tuple(trials), shrinking, candidate, evidence, tuple(rejected))
        rejected.append((trial, evidence))
    return Search(tuple(trials), shrinking, rejected=tuple(rejected))


def shrink(bench: Bench, found: Trial, most: int = MOST_SHRINKING) -> tuple[list[Trial], int]:
    """Ever smaller and plainer requests near a suspicious one, suspicious all, and how many were tried for that."""
    chain, seen = [found], {found.request}
    while len(seen) <= most:
        for request in simpler(chain[-1]):
            if request in seen or len(seen) > most:
                continue
            seen.add(request)
            trial = bench.try_request(request)
            if trial.suspicious and trial.examples <= chain[-1].examples:
                chain.append(trial)
                break
        else:
            break
    return chain, len(seen) - 1


def simpler(found: Trial) -> Iterator[ForgetRequest]:
    """Simpler requests: smaller ones of the same kind first, then half as many examples of any other family."""
    request = found.request
    yield from request.smaller()
    if request.parts:
        return
    if request.family == "whole-class":
        yield replace(request, family="class-fraction", size=max(1, found.examples // 2))
    for family in FAMILIES:
        if family not in (request.family, "single", "whole-class", "group") and found.examples > 1:
            yield ForgetRequest(family, size=found.examples // 2)
