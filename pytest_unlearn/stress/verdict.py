"""What a search comes to: the verdict, how it was reached, and the line that replays what it found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from pytest_unlearn.evidence import Claim, ControlResult, Controls, Estimate, Evidence, Verdict
from pytest_unlearn.exhibits import Table
from pytest_unlearn.stress.requests import ForgetRequest
from pytest_unlearn.stress.search import Search
from pytest_unlearn.stress.trial import Trial

ASTRAY = "no power on this model"  # how `does_not_follow` begins


def verdict_of(found: Search, *, sources: Mapping[str, str], confidence: float) -> Evidence:
    """The evidence of the claim that a method survives.

    Args:
        found: what was searched, and what was confirmed.
        sources: where each threshold came from.
        confidence: of the bounds that requests were judged by.
    """
    failures = 0 if found.failure is None else 1
    powerful = sum(trial.powerful for trial in found.trials)
    testable = powerful and not _doubtful(found, powerful)
    verdict = Verdict.FAIL if failures else Verdict.PASS if testable else Verdict.INCONCLUSIVE
    confirmed = found.evidence
    return Evidence(
        claim=Claim(name="survives", quantity="requests confirmed to fail", highest=0.0, sources=sources),
        verdict=verdict,
        estimate=_count(failures, found, confidence),
        decided_by="search and confirmation",
        label="a request fails" if failures else "",
        attacks={} if confirmed is None else dict(confirmed.attacks),
        controls=_power(found, powerful, confidence),
        reasons=tuple(_reasons(found, powerful)),
        advice=_advice(found, powerful),
        provenance={} if confirmed is None else confirmed.provenance,
        exhibits=(
            _by_family(found),
            *_worst_request(found),
            *(() if confirmed is None else confirmed.exhibits),
        ),
    )


def _power(found: Search, powerful: int, confidence: float) -> Controls:
    """The positive control, on the claim's scale: how many of the requests the model that forgot nothing fails."""
    estimate = _count(powerful, found, confidence)
    says = f"{powerful} of {len(found.trials)} requests are recognised in the original model"
    return Controls(
        original=ControlResult(name="original", holds=powerful > 0, attack="screening", estimate=estimate, says=says)
    )


def _count(number: int, found: Search, confidence: float) -> Estimate:
    return Estimate(
        value=number, low=number, high=number, confidence=confidence, method="count", n_forget=len(found.trials)
    )


def _reasons(found: Search, powerful: int) -> list[str]:
    number = len(found.trials)
    tried = f"{number} request{'' if number == 1 else 's'} searched, {len(found.suspicious)} suspicious, "
    said = [tried + ("1 confirmed" if found.failure else "none confirmed")]
    worst = found.worst
    if found.failure is not None:
        said.append(f"a request of {found.failure.examples} examples fails: {_before_and_after(found)}")
        said.append(f"replay: {found.replay or replay(found.failure.request)}")
    elif worst is not None:
        said.append(f"the worst request was {worst.request!r} ({_value(worst)} in the search)")
    if not powerful:
        said.append("no power: none of the requests is recognised in the original model either")
    if doubtful := _doubtful(found, powerful):
        said.append(f"{len(doubtful)} requests left a model that cannot be judged, such as {doubtful[0].request!r}")
        said.append(doubtful[0].doubt)
    said += [f"{trial.request!r} was not confirmed: {seen}" for trial, seen in found.rejected[:5]]
    return said


def _value(trial: Trial) -> str:
    """What the search measured of a request."""
    return trial.attack if trial.estimate is None else f"{trial.quantity} {trial.estimate.value:.3f}"


def _before_and_after(found: Search) -> str:
    """The failing request's estimate in the search, and when it was confirmed."""
    before = "" if found.failure is None else f"{_value(found.failure)} in the search, "
    if found.evidence is None:
        return f"{before}and again when confirmed ({found.says})"
    after = found.evidence.estimate
    return (
        f"{before}{after.value:.3f} [{after.low:.3f}, {after.high:.3f}] when confirmed "
        f"({found.evidence.decided_by}, {found.evidence.verdict})"
    )


def _doubtful(found: Search, powerful: int) -> list[Trial]:
    """Trials whose models cannot be judged: any that say nothing; those astray only if they are most of them.

    An honest model may be unlike its peers on the controls of one odd request.
    """
    astray = [trial for trial in found.trials if trial.doubt.startswith(ASTRAY)]
    silent = [trial for trial in found.trials if trial.doubt and trial not in astray]
    return silent + (astray if 2 * len(astray) > powerful else [])


def replay(request: ForgetRequest) -> str:
    """The line that audits this request again."""
    return f"audit_request(unlearner, task, {request!r})"


def _advice(found: Search, powerful: int) -> tuple[str, ...]:
    if found.failure is not None:
        return ("the method forgets some requests and not this one: look at what sets its examples apart",)
    if not powerful:
        return ("use more data, or a limit that requests of this size can certify: an attack must see the original",)
    return ()


def _worst_request(found: Search) -> tuple[Table, ...]:
    """The request that came off worst: as it was found, made smaller, and looked at again."""
    worst = found.failure or found.worst
    if worst is None:
        return ()
    stages = [("searched", worst)]
    if found.first is not None and found.first.request != worst.request:
        stages = [("searched", found.first), ("made smaller", worst)]
    rows = [(name, repr(trial.request), trial.examples, *_numbers(trial.estimate)) for name, trial in stages]
    if found.evidence is not None:
        rows.append(("confirmed", repr(worst.request), worst.examples, *_numbers(found.evidence.estimate)))
    line = found.replay or replay(worst.request)
    return (
        Table(
            title="The worst request",
            says=f"What was measured of it, before and after it was confirmed with fresh seeds. Replay it with: {line}",
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
        name: Counter(trial.request.family for trial in trials)
        for name, trials in (
            ("tried", found.trials),
            ("seen", [trial for trial in found.trials if trial.powerful]),
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
