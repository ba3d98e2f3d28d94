"""Plan the runs of `assert_algorithm`: their number, trainings and power."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_unlearn.claims.common.certify import POWER, Request
from pytest_unlearn.cli.plan.asked import Asked

if TYPE_CHECKING:
    from pytest_unlearn.task import UnlearningTask
    from pytest_unlearn.training import Job


@dataclass(frozen=True, order=True)
class Runs:
    """The runs that one call asks for; `sure` where its code says so in figures."""

    count: int
    requests: str
    sure: bool = True


def runs_of(asked: Asked) -> Runs:
    """Read off a claim about a method which runs it asks for."""
    from pytest_unlearn.claims.algorithm.audit import audit_algorithm

    defaults = {name: one.default for name, one in inspect.signature(audit_algorithm).parameters.items()}
    count, requests = (asked.given.get(name, defaults[name]) for name in ("runs", "requests"))
    return Runs(int(count), str(requests), sure=not asked.computed & {"runs", "requests"})


def jobs(task: UnlearningTask, runs: Runs) -> list[Job]:
    """List the trainings of the runs' originals; it trains nothing."""
    from pytest_unlearn.claims.algorithm.runs import FIRST_RUN_SEED, draw, open_pool

    pool = open_pool(task, "same" if runs.requests == "same" else "drawn")
    _, trains = draw(task, pool, runs.count)
    return task.jobs_on(trains, first_seed=task.seed + FIRST_RUN_SEED)


def lines(runs: Runs, asked: Asked, request: Request, to_train: int, original: float | None = None) -> Iterator[str]:
    """Yield what the runs cost, and the chance that they let an exact method pass."""
    computed = "" if runs.sure else ", or as many as the test computes"
    over = "one request" if runs.requests == "same" else "drawn requests"
    cached = f"{runs.count - to_train} in the cache, {to_train} to train"
    yield f"assert_algorithm: {runs.count} runs over {over}{computed}: an original each ({cached}), and the method once"
    if runs.requests != "drawn":
        return
    limit, confidence, most = (asked.settings[name] for name in ("max_mia_auc", "confidence", "max_share_left"))
    judged = (limit.value, confidence.value, original, most.value)
    chance = request.runs_power(runs.count, *judged)
    seen = "plainly" if original is None else f"as this one is, with an AUC of {original:.2f}"
    more = "" if chance >= POWER else f"; {_more(request.runs_needed(*judged))}"
    yield (
        f"chance that a perfect method passes them within {limit.value:g} ({limit.source}): about {chance:.0%}, if the "
        f"originals are recognised {seen}{more}"
    )


def _more(likely: int | None) -> str:
    return f"{POWER:.0%} takes about {likely:,} runs" if likely is not None else "choose a wider limit"
