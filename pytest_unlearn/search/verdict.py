"""Evidence of a search: verdict, how it was reached, and the replay line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pytest_unlearn.claims.common.evidence import rounded
from pytest_unlearn.core.evidence import Claim, ControlResult, Controls, Estimate, Evidence, Verdict
from pytest_unlearn.core.figures import Table
from pytest_unlearn.search.confirmation import Attempt, describe
from pytest_unlearn.search.families import CORRUPTING
from pytest_unlearn.search.request import ForgetRequest
from pytest_unlearn.search.screening import RequestResult
from pytest_unlearn.search.strategies import ALL

MOST_NAMED = 5


@dataclass(frozen=True)
class Search:
    """Every attempt of a search, and of `shrinking` more that shrank a failure."""

    attempts: tuple[Attempt, ...]
    shrinking: int = 0
    failure: Attempt | None = None

    @property
    def results(self) -> tuple[RequestResult, ...]:
        """The outcome of each request."""
        return tuple(attempt.result for attempt in self.attempts)

    @property
    def first(self) -> RequestResult | None:
        """The failure as it was search."""
        return next((attempt.result for attempt in self.attempts if attempt.fails), None)

    @property
    def suspicious(self) -> tuple[RequestResult, ...]:
        """The results that raised suspicion."""
        return tuple(result for result in self.results if result.suspicious)

    @property
    def worst(self) -> RequestResult | None:
        """The result whose estimate is furthest from 0.5 for certain."""
        return max(
            (result for result in self.results if not result.obstacle), key=lambda result: result.excess, default=None
        )


def verdict_of(
    search: Search, *, sources: Mapping[str, str], confidence: float, replay: Callable[[ForgetRequest], str]
) -> Evidence:
    """Decide the claim that a method survives.

    `sources` tell where each threshold came from; `replay` writes the line that audits a request again.
    """
    failures = 0 if search.failure is None else 1
    powerful = sum(result.powerful for result in search.results)
    doubtful = [result for result in search.results if result.doubt]
    if failures:
        verdict = Verdict.FAIL
    elif any(result.invalid for result in doubtful):
        verdict = Verdict.INVALID
    else:
        verdict = Verdict.INCONCLUSIVE if doubtful or not powerful else Verdict.PASS
    confirmed = None if search.failure is None else search.failure.evidence
    return Evidence(
        claim=Claim(name="survives", quantity="requests confirmed to fail", highest=0.0, sources=sources),
        verdict=verdict,
        estimate=_count(failures, search, confidence),
        decided_by="search and confirmation",
        label="a request fails" if failures else "",
        attacks={} if confirmed is None else dict(confirmed.attacks),
        controls=_power(search, powerful, confidence),
        reasons=tuple(_reasons(search, powerful, replay)),
        advice=_advice(search, powerful, doubtful),
        provenance={} if confirmed is None else confirmed.provenance,
        figures=(
            _by_family(search),
            *_worst_request(search, replay),
            *(() if confirmed is None else confirmed.figures),
        ),
    )


def _power(search: Search, powerful: int, confidence: float) -> Controls:
    """Count, as the positive control, the requests that the original model fails on."""
    estimate = _count(powerful, search, confidence)
    caption = f"{powerful} of {len(search.results)} requests are recognised in the original model"
    return Controls(
        original=ControlResult(
            name="original", holds=powerful > 0, attack="screening", estimate=estimate, summary=caption
        )
    )


def _count(number: int, search: Search, confidence: float) -> Estimate:
    return Estimate(
        value=number, low=number, high=number, confidence=confidence, method="count", n_forget=len(search.results)
    )


def _reasons(search: Search, powerful: int, replay: Callable[[ForgetRequest], str]) -> list[str]:
    number = len(search.results)
    tried = f"{number} request{'' if number == 1 else 's'} searched, {len(search.suspicious)} suspicious, "
    reasons = [tried + ("1 confirmed" if search.failure else "none confirmed")]
    worst = search.worst
    if search.failure is not None:
        failing = search.failure.result
        reasons.append(f"a request of {failing.examples} examples fails: {_before_and_after(search.failure)}")
        reasons.append(f"replay: {replay(failing.request)}")
    elif worst is not None:
        reasons.append(f"the worst request was {worst.request!r} ({_value(worst)} in the search)")
    if not powerful:
        reasons.append("no power: none of the requests that could be judged is recognised in the original model either")
    for doubtful in [result for result in search.results if result.doubt][:MOST_NAMED]:
        reasons.append(f"{doubtful.request!r} could not be judged: {doubtful.doubt}")
    obstacles = Counter(result.obstacle for result in search.results if result.obstacle)
    reasons += [f"{count} of them could not be asked: {why}" for why, count in obstacles.most_common(MOST_NAMED)]
    rejected = [attempt for attempt in search.attempts if attempt.rejected]
    reasons += [f"{one.result.request!r} was not confirmed: {one.rejected}" for one in rejected[:MOST_NAMED]]
    return reasons


def _value(result: RequestResult) -> str:
    """Write what the search measured of a request."""
    return result.attack if result.estimate is None else f"{result.quantity} {result.estimate.value:.3f}"


def _before_and_after(failure: Attempt) -> str:
    """Write the failing request's estimate in the search, and when it was confirmed."""
    before = f"{_value(failure.result)} in the search, "
    if failure.evidence is None:
        return f"{before}and again when confirmed ({describe(failure)})"
    after = failure.evidence.estimate
    return (
        f"{before}{after.value:.3f} [{after.low:.3f}, {after.high:.3f}] when confirmed "
        f"({failure.evidence.decided_by}, {failure.evidence.verdict})"
    )


def _advice(search: Search, powerful: int, doubtful: Sequence[RequestResult]) -> tuple[str, ...]:
    if search.failure is not None:
        return ("the method forgets some requests and not this one: look at what sets its examples apart",)
    if doubtful:
        return ("audit the requests that could not be judged by themselves, with audit_request",)
    if not powerful:
        return ("use more data, or a limit that requests of this size can certify: an attack must see the original",)
    return ()


def _worst_request(search: Search, replay: Callable[[ForgetRequest], str]) -> tuple[Table, ...]:
    """Tabulate the worst request: as it was found, made smaller, and confirmed."""
    worst = search.worst if search.failure is None else search.failure.result
    if worst is None:
        return ()
    stages = [("searched", worst)]
    if search.first is not None and search.first.request != worst.request:
        stages = [("searched", search.first), ("made smaller", worst)]
    rows = [
        (name, repr(result.request), result.examples, *(rounded(result.estimate) if result.estimate else (None,) * 3))
        for name, result in stages
    ]
    if search.failure is not None and search.failure.evidence is not None:
        rows.append(("confirmed", repr(worst.request), worst.examples, *rounded(search.failure.evidence.estimate)))
    return (
        Table(
            title="The worst request",
            caption="What was measured of it, before and after it was confirmed with fresh seeds. "
            f"Replay it with: {replay(worst.request)}",
            columns=("stage", "request", "examples", "estimate", "low", "high"),
            rows=tuple(rows),
        ),
    )


def _by_family(search: Search) -> Table:
    seen = [result for result in search.results if result.powerful]
    counts = [Counter(result.request.family for result in some) for some in (search.results, seen, search.suspicious)]
    tried, recognised, suspicious = counts
    names = [name for name in (*ALL, *CORRUPTING) if tried[name]]
    return Table(
        title="Requests by family",
        caption="How many requests of each family were tried, how many the screening recognises in the original model, "
        f"and how many it finds suspicious in the method's. Making a request smaller took {search.shrinking} more.",
        columns=("family", "tried", "seen in the original", "suspicious"),
        rows=tuple((name, tried[name], recognised[name], suspicious[name]) for name in names),
    )
