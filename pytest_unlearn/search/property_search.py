"""Search for a request that breaks what a test states of any request."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from pytest_unlearn.core.claim_table import TABLE
from pytest_unlearn.core.evidence import Evidence
from pytest_unlearn.core.recorder import Entry, Recorder, current, recording, severity
from pytest_unlearn.core.settings import resolve
from pytest_unlearn.search.budget import Budget, as_budget
from pytest_unlearn.search.confirmation import Attempt, run_guarded, unlearn_request
from pytest_unlearn.search.hypothesis_engine import search_of, search_requests
from pytest_unlearn.search.request import ForgetRequest, as_request
from pytest_unlearn.search.screening import CONFIRMATION, RequestRunner, Stage, result_of_entry
from pytest_unlearn.search.strategies import forget_sets
from pytest_unlearn.search.survives import check
from pytest_unlearn.search.unlearned import UnlearnedRequest
from pytest_unlearn.search.verdict import verdict_of
from pytest_unlearn.task import UnlearningTask

OTHER_CLAIMS = frozenset(name for name, spec in TABLE.items() if not spec.of_this_model)
Property = Callable[[UnlearnedRequest], Any]


@dataclass(frozen=True)
class PropertyAudit:
    """The evidence of a search with a test, and what the test raised on its failure.

    `audited` if the test recorded any evidence of forgetting.
    """

    evidence: Evidence
    error: BaseException | None = None
    audited: bool = True


def audit_property(
    holds: Property,
    unlearner: Any,
    task: UnlearningTask,
    *,
    families: Sequence[str] | None = None,
    sizes: tuple[int, int] | None = None,
    budget: int | timedelta | Budget = 60,
    only: ForgetRequest | None = None,
    key: str = "",
) -> PropertyAudit:
    """Search for a deletion request on which a test of one raises.

    While searching, the test sees two retrained references and half of the controls. A request on which it raises
    counts only if it raises again with fresh seeds, the other half of the controls and four other references; of such
    requests Hypothesis looks for ever smaller and plainer ones.

    Args:
        holds: called with an `UnlearnedRequest` (model, task); raises where its statement does not hold.
        unlearner: as in `audit_survives`, whose errors are raised here too.
        task: as there.
        families: as there.
        sizes: the smallest and largest request.
        budget: as there.
        only: evaluate this one request instead, with the fresh seeds of a confirmation.
        key: names the test in Hypothesis's example database, which keeps what failed.
    """
    check(unlearner, task)
    bound, level = as_budget(budget), resolve("confidence")
    runner = RequestRunner(task, unlearner, resolve("max_mia_auc").value, level.value)
    recorded: list[Entry] = []
    evaluate = functools.partial(_evaluate, holds, runner, recorded)
    if only is not None:
        attempt = evaluate(as_request(only), CONFIRMATION)
        search = search_of([replace(attempt, fails=attempt.result.suspicious)])
    else:
        search = search_requests(forget_sets(task.split, families, sizes), evaluate, bound, task.progress, key=key)
    evidence = verdict_of(search, sources={"confidence": level.source}, confidence=level.value, replay=replay)
    return PropertyAudit(evidence, None if search.failure is None else search.failure.error, audited=bool(recorded))


def replay(request: ForgetRequest) -> str:
    """Write the line that puts the test to this request again."""
    return f"@stress(only={request!r})"


def _evaluate(
    holds: Property, runner: RequestRunner, recorded: list[Entry], request: ForgetRequest, stage: Stage
) -> Attempt:
    """Run method and test on one request, and keep what the test records."""
    here = current()
    notes = Recorder(here.nodeid, here.layers) if here is not None else Recorder()

    def run() -> Attempt:
        error: Exception | None = None
        unlearned = unlearn_request(runner, request, stage)
        with recording(notes):
            try:
                holds(unlearned)
            except Exception as raised:
                if not isinstance(getattr(raised, "evidence", None), Evidence):
                    raise
                error = raised
        return _judged(runner, request, stage, notes.entries, error)

    attempt = run_guarded(runner, request, run)
    recorded += [entry for entry in notes.entries if entry["claim"]["name"] not in OTHER_CLAIMS]
    return attempt


def _judged(
    runner: RequestRunner, request: ForgetRequest, stage: Stage, entries: Sequence[Entry], error: Exception | None
) -> Attempt:
    """Read a test's audits by the gravest verdict, whether it raised or not."""
    evidence = getattr(error, "evidence", None)
    audits = [*entries, *([evidence.to_json()] if isinstance(evidence, Evidence) else [])]
    plain = replace(runner.blank_result(request, ""), trainings=len(runner.steps(request)) + stage.references)
    if not audits:
        return Attempt(plain)
    result = result_of_entry(plain, max(audits, key=severity), plain.trainings)
    tells = any(entry["claim"]["name"] not in OTHER_CLAIMS for entry in audits)
    return Attempt(replace(result, powerful=result.powerful and tells), error, evidence)
