"""audit_survives: does a method stand up to the deletion request that it is worst at, among many that were tried?"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any

from pytest_unlearn.evidence import Claim, ControlResult, Controls, Estimate, Evidence, Verdict
from pytest_unlearn.exhibits import Table
from pytest_unlearn.settings import CONFIDENCE, MAX_MIA_AUC, resolve
from pytest_unlearn.stress.confirm import confirm
from pytest_unlearn.stress.requests import ForgetRequest
from pytest_unlearn.stress.schedule import available, schedule
from pytest_unlearn.stress.search import Search, search
from pytest_unlearn.stress.trial import Bench, Trial
from pytest_unlearn.task import UnlearningTask

LARGEST_SHARE = 5  # of train: at most a fifth is asked for at once
REQUESTS = 60
ASTRAY = "no power on this model"  # how `does_not_follow` begins
_logger = logging.getLogger("pytest_unlearn")


def audit_survives(
    unlearner: Any,
    task: UnlearningTask,
    *,
    families: Sequence[str] | None = None,
    requests: int = REQUESTS,
    seconds: float | None = None,
    max_mia_auc: float = MAX_MIA_AUC,
    confidence: float = CONFIDENCE,
    seed: int = 0,
) -> Evidence:
    """Is there a deletion request that this method does not forget? Searched for, made small, and confirmed.

    Requests of every family are tried in turn and screened cheaply. One that looks bad is made smaller and plainer, and
    audited anew with fresh seeds, fresh controls and models retrained without it. Only that audit can FAIL.

    Args:
        unlearner: the method, `unlearner(model, retain, forget, *, seed) -> model`.
        task: what was trained on, and how; its recipe trains the references. Its own forget set plays no part.
        families: names of request families; by default all that the split allows.
        requests: how many requests to try; making a found one smaller takes up to 40 more.
        seconds: after how long no further request is begun.
        max_mia_auc: the limit a request is judged at, as in `audit_forgotten`.
        confidence: of every one-sided bound.
        seed: of the search: which requests are tried.

    Returns:
        Evidence; its estimate counts the confirmed failures, 0 under perfect unlearning. FAIL names the request and the
        line that replays it. PASS means that none of the requests tried was confirmed to fail; INCONCLUSIVE, that the
        search could not have found any: it does not recognise the requests in the original model either, or the method
        left models whose answers cannot be judged (constant, or unlike any comparable model's).

    Raises:
        ValueError: a task without a recipe, a family that does not exist, or no request at all.
    """
    limit, level = resolve("max_mia_auc", max_mia_auc), resolve("confidence", confidence)
    if task.recipe is None:
        raise ValueError("a search needs models retrained without each request: give the task a recipe.")
    if requests < 1:
        raise ValueError(f"requests must be at least 1, not {requests}.")
    bench = Bench(task, unlearner, limit.value, level.value)
    names = available(families, groups=task.split.groups is not None)
    largest = max(1, len(task.split.train) // LARGEST_SHARE)
    wanted = schedule(names, classes=len(bench.facts.classes), largest=largest, seed=seed)
    found = search(bench, wanted, confirm, budget=requests, seconds=seconds, watch=_tell)
    claim = Claim(
        name="survives",
        quantity="requests confirmed to fail",
        highest=0.0,
        sources={"max_mia_auc": limit.source, "confidence": level.source},
    )
    return _evidence(claim, found, level.value)


def _tell(trial: Trial) -> None:
    seen = "suspicious" if trial.suspicious else "not suspicious"
    _logger.info("%r: %s %.3f, %s", trial.request, trial.attack, trial.estimate.value, seen)


def _evidence(claim: Claim, found: Search, confidence: float) -> Evidence:
    failures = 0 if found.failure is None else 1
    powerful = sum(trial.powerful for trial in found.trials)
    testable = powerful and not _doubtful(found, powerful)
    verdict = Verdict.FAIL if failures else Verdict.PASS if testable else Verdict.INCONCLUSIVE
    estimate = _count(failures, found, confidence)
    return Evidence(
        claim=claim,
        verdict=verdict,
        estimate=estimate,
        decided_by="search and confirmation",
        label="a request is remembered" if failures else "",
        attacks={} if found.evidence is None else dict(found.evidence.attacks),
        controls=_power(found, powerful, confidence),
        reasons=tuple(_reasons(found, powerful)),
        advice=_advice(found, powerful),
        provenance={} if found.evidence is None else found.evidence.provenance,
        exhibits=(_by_family(found), *(() if found.evidence is None else found.evidence.exhibits)),
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
    tried = f"{len(found.trials)} requests searched, {len(found.suspicious)} suspicious, "
    said = [tried + ("1 confirmed" if found.failure else "none confirmed")]
    if found.failure is not None and found.evidence is not None:
        before, after = found.failure.estimate, found.evidence.estimate
        said.append(
            f"a request of {found.failure.examples} examples fails: AUC {before.value:.3f} in the search, "
            f"{after.value:.3f} [{after.low:.3f}, {after.high:.3f}] when confirmed ({found.evidence.decided_by})"
        )
        said.append(f"replay: {replay(found.failure.request)}")
    elif found.worst is not None:
        said.append(
            f"the worst request was {found.worst.request!r} (AUC {found.worst.estimate.value:.3f} in the search)"
        )
    if not powerful:
        said.append("no power: none of the requests is recognised in the original model either")
    if doubtful := _doubtful(found, powerful):
        said.append(f"{len(doubtful)} requests left a model that cannot be judged, such as {doubtful[0].request!r}")
        said.append(doubtful[0].doubt)
    said += [f"{trial.request!r} was not confirmed: {seen.verdict}" for trial, seen in found.rejected[:5]]
    return said


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


def audit_request(
    unlearner: Any,
    task: UnlearningTask,
    request: ForgetRequest,
    *,
    max_mia_auc: float = MAX_MIA_AUC,
    confidence: float = CONFIDENCE,
) -> Evidence:
    """Does the method forget this one request? The audit that confirms what a search found, by itself.

    Arguments and errors as in `audit_survives`. Returns the evidence of `audit_forgotten` on the request.
    """
    limit, level = resolve("max_mia_auc", max_mia_auc), resolve("confidence", confidence)
    return confirm(Bench(task, unlearner, limit.value, level.value), request)
