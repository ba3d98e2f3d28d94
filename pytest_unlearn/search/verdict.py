"""What a search comes to: the verdict, how it was reached, and the line that replays what it found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pytest_unlearn.core.evidence import Claim, ControlResult, Controls, Estimate, Evidence, Verdict
from pytest_unlearn.core.figures import Table
from pytest_unlearn.search.confirmation import Attempt, says
from pytest_unlearn.search.request import ForgetRequest
from pytest_unlearn.search.screening import RequestResult

MOST_NAMED = 5


@dataclass(frozen=True)
class Search:
    """What a search did: every attempt, and what the first failure was made smaller to, if there is one.

    `shrinking` counts the requests that were tried for that.
    """

    attempts: tuple[Attempt, ...]
    shrinking: int = 0
    failure: Attempt | None = None

    @property
    def results(self) -> tuple[RequestResult, ...]:
        """What each request came to."""
        return tuple(attempt.result for attempt in self.attempts)

    @property
    def first(self) -> RequestResult | None:
        """The failure as it was found."""
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
    found: Search, *, sources: Mapping[str, str], confidence: float, replay: Callable[[ForgetRequest], str]
) -> Evidence:
    """The evidence of the claim that a method survives.

    Args:
        found: what was searched, and what was confirmed.
        sources: where each threshold came from.
        confidence: of the bounds that requests were judged by.
        replay: the line that looks at a request again.
    """
    failures = 0 if found.failure is None else 1
    powerful = sum(result.powerful for result in found.results)
    doubtful = [result for result in found.results if result.doubt]
    if failures:
        verdict = Verdict.FAIL
    elif any(result.invalid for result in doubtful):
        verdict = Verdict.INVALID
    else:
        verdict = Verdict.INCONCLUSIVE if doubtful or not powerful else Verdict.PASS
    confirmed = None if found.failure is None else found.failure.evidence
    return Evidence(
        claim=Claim(name="survives", quantity="requests confirmed to fail", highest=0.0, sources=sources),
        verdict=verdict,
        estimate=_count(failures, found, confidence),
        decided_by="search and confirmation",
        label="a request fails" if failures else "",
        attacks={} if confirmed is None else dict(confirmed.attacks),
        controls=_power(found, powerful, confidence),
        reasons=tuple(_reasons(found, powerful, replay)),
        advice=_advice(found, powerful, doubtful),
        provenance={} if confirmed is None else confirmed.provenance,
        exhibits=(
            _by_family(found),
            *_worst_request(found, replay),
            *(() if confirmed is None else confirmed.exhibits),
        ),
    )


def _power(found: Search, powerful: int, confidence: float) -> Controls:
    """The positive control, on the claim's scale: how many of the requests the model that forgot nothing fails."""
    estimate = _count(powerful, found, confidence)
    says = f"{powerful} of {len(found.results)} requests are recognised in the original model"
    return Controls(
        original=ControlResult(name="original", holds=powerful > 0, attack="screening", estimate=estimate, says=says)
    )


def _count(number: int, found: Search, confidence: float) -> Estimate:
    return Estimate(
        value=number, low=number, high=number, confidence=confidence, method="count", n_forget=len(found.results)
    )


def _reasons(found: Search, powerful: int, replay: Callable[[ForgetRequest], str]) -> list[str]:
    number = len(found.results)
    tried = f"{number} request{'' if number == 1 else 's'} searched, {len(found.suspicious)} suspicious, "
    said = [tried + ("1 confirmed" if found.failure else "none confirmed")]
    worst = found.worst
    if found.failure is not None:
        failing = found.failure.result
        said.append(f"a request of {failing.examples} examples fails: {_before_and_after(found.failure)}")
        said.append(f"replay: {replay(failing.request)}")
    elif worst is not None:
        said.append(f"the worst request was {worst.request!r} ({_value(worst)} in the search)")
    if not powerful:
        said.append("no power: none of the requests that could be judged is recognised in the original model either")
    for doubtful in [result for result in found.results if result.doubt][:MOST_NAMED]:
        said.append(f"{doubtful.request!r} could not be judged: {doubtful.doubt}")
    obstacles = Counter(result.obstacle for result in found.results if result.obstacle)
    said += [f"{count} of them could not be asked: {why}" for why, count in obstacles.most_common(MOST_NAMED)]
    rejected = [attempt for attempt in found.attempts if attempt.rejected]
    said += [f"{seen.result.request!r} was not confirmed: {seen.rejected}" for seen in rejected[:MOST_NAMED]]
    return said


def _value(result: RequestResult) -> str:
    """What the search measured of a request."""
    return result.attack if result.estimate is None else f"{result.quantity} {result.estimate.value:.3f}"


def _before_and_after(failure: Attempt) -> str:
    """The failing request's estimate in the search, and when it was confirmed."""
    before = f"{_value(failure.result)} in the search, "
    if failure.evidence is None:
        return f"{before}and again when confirmed ({says(failure)})"
    after = failure.evidence.estimate
    return (
        f"{before}{after.value:.3f} [{after.low:.3f}, {after.high:.3f}] when confirmed "
        f"({failure.evidence.decided_by}, {failure.evidence.verdict})"
    )


def _advice(found: Search, powerful: int, doubtful: Sequence[RequestResult]) -> tuple[str, ...]:
    if found.failure is not None:
        return ("the method forgets some requests and not this one: look at what sets its examples apart",)
    if doubtful:
        return ("audit the requests that could not be judged by themselves, with audit_request",)
    if not powerful:
        return ("use more data, or a limit that requests of this size can certify: an attack must see the original",)
    return ()


def _worst_request(found: Search, replay: Callable[[ForgetRequest], str]) -> tuple[Table, ...]:
    """The request that came off worst: as it was found, made smaller, and looked at again."""
    worst = found.worst if found.failure is None else found.failure.result
    if worst is None:
        return ()
    stages = [("searched", worst)]
    if found.first is not None and found.first.request != worst.request:
        stages = [("searched", found.first), ("made smaller", worst)]
    rows = [(name, repr(result.request), result.examples, *_numbers(result.estimate)) for name, result in stages]
    if found.failure is not None and found.failure.evidence is not None:
        rows.append(("confirmed", repr(worst.request), worst.examples, *_numbers(found.failure.evidence.estimate)))
    return (
        Table(
            title="The worst request",
            says="What was measured of it, before and after it was confirmed with fresh seeds. "
            f"Replay it with: {replay(worst.request)}",
            columns=("stage", "request", "examples", "estimate", "low", "high"),
            rows=tuple(rows),
        ),
    )


def _numbers(estimate: Estimate | None) -> tuple[float | None, float | None, float | None]:
    if estimate is None:
        return None, None, None
    return round(estimate.value, 4), round(estimate.low, 4), round(estimate.high, 4)


def _by_family(found: Search) -> Table:
    counts = {
        name: Counter(result.request.family for result in results)
        for name, results in (
            ("tried", found.results),
            ("seen", [result for result in found.results if result.powerful]),
            ("suspicious", found.suspicious),
        )
    }
    rows = [
        (family, tried, counts["seen"][family], counts["suspicious"][family])
        for family, tried in counts["tried"].items()
    ]
    return Table(
        title="Requests by family",
        says="How many requests of each family were tried, how many the screening recognises in the original model, "
        f"and how many it finds suspicious in the method's. Making a request smaller took {found.shrinking} more.",
        columns=("family", "tried", "seen in the original", "suspicious"),
        rows=tuple(rows),
    )
