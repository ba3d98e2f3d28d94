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
from pytest_unlearn.stress.budget import Budget
from pytest_unlearn.stress.families import FAMILIES, resolve
from pytest_unlearn.stress.requests import ForgetRequest
from pytest_unlearn.stress.trial import Bench, Trial

MOST_SHRINKING = 40
OF_EACH_SIZE = 3


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
    confirm: Callable[[Bench, ForgetRequest], Evidence],
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
    shrinking = trainings = 0

    def tried() -> Iterator[Trial]:
        for request in requests:
            if budget.spent(requests=len(trials), trainings=trainings, seconds=time.monotonic() - started):
                return
            yield bench.try_request(request)

    for trial in watch(tried()):
        trials.append(trial)
        trainings += trial.trainings
        if not trial.suspicious:
            continue
        more = shrink(bench, trial)
        shrinking += len(more)
        trainings += sum(other.trainings for other in more)
        for candidate in smallest_first((trial, *more)):
            evidence = confirm(bench, candidate.request)
            if evidence.verdict is Verdict.FAIL:
                return Search(
                    tuple(trials), shrinking, first=trial, failure=candidate, evidence=evidence,
                    rejected=tuple(rejected),
                )  # fmt: skip
        rejected.append((trial, str(evidence.verdict)))
    return Search(tuple(trials), shrinking, rejected=tuple(rejected))


def smallest_first(trials: Iterable[Trial]) -> list[Trial]:
    """The suspicious trials in the order in which to confirm them, of each size the three that stand out most.

    A small request may be too few examples to be confirmed, and then the next larger one is looked at.
    """
    suspects = sorted(
        (trial for trial in trials if trial.suspicious), key=lambda trial: (trial.examples, -trial.excess)
    )
    sizes = itertools.groupby(suspects, key=lambda trial: trial.examples)
    return [trial for _, same in sizes for trial in itertools.islice(same, OF_EACH_SIZE)]


def shrink(bench: Bench, found: Trial, most: int = MOST_SHRINKING) -> list[Trial]:
    """Try ever smaller and plainer requests near a suspicious one, from the smallest suspicious one on."""
    smallest, tried = found, {_examples(bench, found.request): found}
    while True:
        for request in simpler(smallest):
            examples = _examples(bench, request)
            if examples in tried:  # another family may name the same examples
                continue
            if len(tried) > most:
                return list(tried.values())[1:]
            trial = tried[examples] = bench.try_request(request)
            if trial.suspicious and trial.examples <= smallest.examples:
                smallest = trial
                break
        else:
            return list(tried.values())[1:]


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
