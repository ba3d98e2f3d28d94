"""Plan the runs of `assert_algorithm`: their number, trainings and power."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_unlearn.claims.common.certify import HOPELESS_RUNS, RUNS_POWER, WORTH_TRYING, Request
from pytest_unlearn.cli.plan.asked import Asked
from pytest_unlearn.cli.plan.outlook import Outlook

if TYPE_CHECKING:
    from pytest_unlearn.cli.plan.collect import Inputs
    from pytest_unlearn.task import UnlearningTask
    from pytest_unlearn.training import Job

PLAIN = 0.99  # an original that shows everything: what it cannot help with, no other will
FEWEST_SEEN = 3  # originals of runs whose mean says more than this request's does


@dataclass(frozen=True, order=True)
class Runs:
    """The runs that one call asks for; `sure` where its code says so in figures."""

    count: int
    requests: str
    sure: bool = True


@dataclass(frozen=True)
class SeenOriginals:
    """The AUC of originals, the mean over `runs` requests; 0 for the one at hand."""

    auc: float
    runs: int = 0


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


def seen_in(inputs: Inputs, runs: Runs, trainings: Sequence[Job]) -> SeenOriginals | None:
    """Ask those originals of the runs that the cache holds; None of too few."""
    from pytest_unlearn.claims.algorithm.aggregate import recognised_over_runs
    from pytest_unlearn.claims.algorithm.runs import draw, open_pool
    from pytest_unlearn.cli.plan.original import models_there

    task, (_, references) = inputs.task, models_there(inputs)
    if runs.requests != "drawn" or not references:
        return None
    pool = open_pool(task, "drawn")
    masks, _ = draw(task, pool, runs.count)
    stored = zip(masks, map(task.stored, trainings), strict=True)
    there = [(mask, model) for mask, model in stored if model is not None]
    auc = recognised_over_runs(task, pool, there, references) if len(there) >= FEWEST_SEEN else None
    return None if auc is None else SeenOriginals(auc, len(there))


def outlook(runs: Runs, asked: Asked, request: Request, to_train: int, seen: SeenOriginals | None = None) -> Outlook:
    """Say what the runs cost, and the chance that they let a perfect method pass."""
    computed = "" if runs.sure else ", or as many as the test computes"
    over = "one request" if runs.requests == "same" else "drawn requests"
    cached = f"{runs.count - to_train} in the cache, {to_train} to train"
    cost = (
        f"assert_algorithm: {runs.count} runs over {over}{computed}: an original each ({cached}), and the method once"
    )
    if runs.requests != "drawn":
        return Outlook((cost,))
    limit, confidence, most = (asked.settings[name] for name in ("max_mia_auc", "confidence", "max_share_left"))
    counted = request.counted_on() if seen is None else request.counted_on(seen.auc, max(1, seen.runs))

    def chance(original: float) -> float:
        return request.runs_power(runs.count, limit.value, confidence.value, original, most.value)

    def needed(original: float) -> int | None:
        return request.runs_needed(limit.value, confidence.value, original, most.value)

    hopeless = chance(PLAIN if seen is None else counted) < HOPELESS_RUNS
    said = (
        f"chance that a perfect method passes them within {limit.value:g} ({limit.source}): about "
        f"{chance(counted):.0%}, if originals are recognised with a mean AUC of {counted:.2f} ({_known(seen)})"
    )
    # Runs that are made were counted on weaker knowledge: unless they are worth nothing, nobody is told to make more.
    made = seen is not None and not to_train and seen.runs >= runs.count
    likely = chance(counted) >= (WORTH_TRYING if made else RUNS_POWER)
    if chance(counted) >= RUNS_POWER:
        return Outlook((cost, said))
    if made and likely:
        return Outlook((cost, f"{said}; they are made and will do; for a next request {_more(needed(counted), None)}"))
    verdict = "hopeless, whatever the method" if hopeless else "too few"
    return Outlook((cost, f"{said}: {verdict}; {_more(needed(counted), needed(PLAIN))}"), hopeless, likely=False)


def _known(seen: SeenOriginals | None) -> str:
    """Say where the AUC that a chance is counted on comes from."""
    if seen is None:
        return "weakly, which is what to count on until the cache holds some: then ask plan --ask-original"
    if not seen.runs:
        return f"that of this request alone is {seen.auc:.2f}"
    return f"in the {seen.runs} that the cache holds it is {seen.auc:.2f}"


def _more(enough: int | None, if_plain: int | None) -> str:
    if enough is not None:
        return f"runs={enough} make it {RUNS_POWER:.0%}"
    if if_plain is None:
        return "no affordable number of runs helps at this limit: choose a wider one"
    return "no affordable number of runs helps where originals show so little: batch requests"
