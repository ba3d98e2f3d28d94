"""Audit of the method's cost as a fraction of retraining's."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_unlearn.claims.common.evidence import build_evidence, resolve_all
from pytest_unlearn.claims.common.provenance import provenance
from pytest_unlearn.claims.common.verdict import FailureKind, Finding, Objection, Wording, decide, doubt, judge
from pytest_unlearn.claims.efficient.stopwatch import Clock, Lap, time_method, time_recipe
from pytest_unlearn.core.evidence import Claim, ControlResult, Controls, Estimate, Evidence
from pytest_unlearn.core.figures import Cell, Intervals, Table
from pytest_unlearn.core.settings import CONFIDENCE, MAX_FRACTION
from pytest_unlearn.statistics import fewest_for_median, median, needed_for_median
from pytest_unlearn.task import UnlearningTask
from pytest_unlearn.training.signatures import check_unlearner

FIRST_TIMED_SEED = 700_000  # far from the seeds of all models that are kept
UNSTEADY = 2.0  # a machine on which retraining itself becomes so many times slower or faster measures nothing
QUICK = 0.001  # seconds of retraining below which the clock, and not the work, is measured
TOO_SLOW = "take fewer steps or fewer examples; what costs as much as retraining should be retraining"
QUIET = "measure on a quiet machine, with nothing else running on it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The method and a retraining, one right after the other."""

    method: Lap
    retraining: Lap

    @property
    def fraction(self) -> float:
        """The method's time over the retraining's."""
        return self.method.seconds / self.retraining.seconds

    def __str__(self) -> str:
        return f"{self.method.seconds:.3g} s, retraining {self.retraining.seconds:.3g} s"


def audit_efficient(
    unlearner: Any,
    task: UnlearningTask,
    max_fraction: float = MAX_FRACTION,
    *,
    repeats: int = 5,
    clock: Clock = time.perf_counter,
    confidence: float = CONFIDENCE,
) -> Evidence:
    """Audit whether the method takes at most `max_fraction` of retraining's time.

    Method and recipe run in turns in this process, on one thread, on the task's own data; which of the two goes first
    alternates, so that a machine that slows down favours neither. Both run once before that, off the clock. Each model
    answers one example on the clock, so that no work waits until then. Nothing comes from the cache or goes there, and
    the models are thrown away. A method that keeps to itself what it computed in an earlier run is not found out.

    Args:
        unlearner: `unlearner(model, retain, forget, *, seed) -> model`.
        task: with a recipe, which is what retraining means.
        max_fraction: the largest tolerated median of method time over retraining time, above 0 and at most 1.
            Retraining itself takes 1.
        repeats: pairs of runs, one or more; fewer than five bound nothing at 95%.
        clock: seconds from any beginning; `time.process_time` leaves out what other processes take of the machine, and
            an accelerator's work with it.
        confidence: of each one-sided bound on the median.

    Returns:
        Evidence; its estimate is the median fraction, bounded by order statistics of the pairs. The examples that each
        run reads one by one are counted and shown, where it does not take them all at once; a copy that is gone over
        many times counts once, and reads of worker processes are not seen. Times differ from run to run of the audit.

    Raises:
        ValueError: a task without a recipe, repeats that are no whole number from 1, or a method that changes
            its input.
        TypeError: a method that cannot be called, or a run that returns None.

    Source: the bounds are of Thompson 1936; measuring in pairs is common practice in benchmarking.
    """
    sources, (limit, confidence) = resolve_all(max_fraction=max_fraction, confidence=confidence)
    _check(unlearner, task, repeats)
    if not callable(clock):
        raise TypeError(f"clock is a function that returns seconds, such as time.perf_counter, not {clock!r}.")
    original = task.models.of(task.original)
    _ = original.identity  # what every method is given, and must leave untouched
    first = task.seed + FIRST_TIMED_SEED
    time_method(unlearner, task, first, clock)
    time_recipe(task, first, clock)
    pairs = list(
        task.progress(_pairs(unlearner, task, repeats, first + 1, clock), repeats, "timing pairs of runs", str)
    )
    original.check_unchanged()
    measure = median([pair.fraction for pair in pairs])
    finding = Finding(
        name="time",
        measure=measure,
        estimate=measure.at(confidence),
        failures={"high": FailureKind("too slow", TOO_SLOW)},
    )
    claim = Claim(name="efficient", quantity="time as a fraction of retraining", highest=limit, sources=sources)
    steady = _steadiness(pairs, confidence)
    unsettled, steps = _unsettled(pairs, limit, confidence)
    wording = Wording(beyond="{label}: the median fraction is beyond the limit", unsettled=unsettled)
    decision = decide(
        judge([finding], claim, confidence, wording=wording),
        vetoes=_unmeasurable(pairs, steady),
        advice=steps,
        scope=(_typical(pairs),),
    )
    return build_evidence(
        claim,
        decision,
        [finding],
        controls=Controls(retrained=() if steady is None else (steady,)),
        provenance=provenance(
            unlearner, (task.forget, task.retain), task, original=False, retrained=False, repeats=repeats, threads=1
        ),
        figures=(_table(pairs), _times(pairs)),
    )


def _check(unlearner: Any, task: UnlearningTask, repeats: int) -> None:
    if not isinstance(task, UnlearningTask) or task.recipe is None:
        raise ValueError("audit_efficient retrains to compare with: pass an UnlearningTask with a recipe=.")
    check_unlearner(unlearner)
    if not isinstance(repeats, int) or isinstance(repeats, bool) or repeats < 1:
        raise ValueError(f"repeats must be a whole number of pairs from 1, not {repeats!r}.")


def _pairs(unlearner: Any, task: UnlearningTask, repeats: int, first: int, clock: Clock) -> Iterator[Pair]:
    for number in range(repeats):
        if number % 2:
            retraining = time_recipe(task, first + number, clock)
            yield Pair(method=time_method(unlearner, task, first + number, clock), retraining=retraining)
        else:
            method = time_method(unlearner, task, first + number, clock)
            yield Pair(method=method, retraining=time_recipe(task, first + number, clock))


def _steadiness(pairs: Sequence[Pair], confidence: float) -> ControlResult | None:
    """Measure retraining against itself: later half of times over earlier half."""
    times = np.array([pair.retraining.seconds for pair in pairs])
    half = len(times) // 2
    if half == 0:
        return None
    ratios = times[half:, None] / times[None, :half]
    value = float(np.median(times[half:]) / np.median(times[:half]))
    return ControlResult(
        name="retraining",
        holds=1 / UNSTEADY <= value <= UNSTEADY,
        attack="time, later half over earlier half",
        estimate=Estimate(
            value=value,
            low=float(min(ratios.min(), value)),
            high=float(max(ratios.max(), value)),
            confidence=confidence,
            method="range of later over earlier",
            n_forget=len(times),
        ),
        summary=f"retraining took {value:.2f} times as long in the later half as in the earlier",
    )


def _unmeasurable(pairs: Sequence[Pair], steady: ControlResult | None) -> list[Objection]:
    """Return why times on this machine say nothing, whatever the limit."""
    found = []
    fastest = min(pair.retraining.seconds for pair in pairs)
    if fastest < QUICK:
        reason = f"retraining took {fastest:.2g} s, which a clock cannot tell from its own noise"
        found.append(doubt(reason, "measure on a task that takes longer"))
    if steady is not None and not steady.holds:
        found.append(doubt(f"the machine was not steady: {steady.summary}", QUIET))
    return found


def _unsettled(pairs: Sequence[Pair], limit: float, confidence: float) -> tuple[str, tuple[str, ...]]:
    """Return the sentences where the median may lie on both sides of the limit."""
    fewest = fewest_for_median(confidence)
    if len(pairs) < fewest:
        reason = f"{len(pairs)} pairs of runs bound no median at {confidence:.0%}, whatever they show"
        return reason, (f"repeats={fewest} is the fewest that can",)
    reason = "the pairs lie on both sides of the limit"
    needed = needed_for_median([pair.fraction for pair in pairs], limit, confidence)
    if needed is None:
        return reason, ("no affordable number of pairs settles a median so near the limit: choose another limit",)
    return reason, (f"repeats={max(needed, len(pairs) + 1)} would probably settle it", QUIET)


def _typical(pairs: Sequence[Pair]) -> str:
    method, retraining = (
        float(np.median([getattr(pair, which).seconds for pair in pairs])) for which in ("method", "retraining")
    )
    return f"median times: {method:.3g} s, retraining {retraining:.3g} s; {_read(pairs[-1])}"


def _read(pair: Pair) -> str:
    def said(lap: Lap) -> str:
        return "an unknown number" if lap.read is None else f"{lap.read:,}"

    return f"examples read: {said(pair.method)}, by retraining {said(pair.retraining)}"


def _table(pairs: Sequence[Pair]) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            number,
            _rounded(pair.method.seconds),
            _rounded(pair.retraining.seconds),
            _rounded(pair.fraction),
            "unknown" if pair.method.read is None else pair.method.read,
            "unknown" if pair.retraining.read is None else pair.retraining.read,
        )
        for number, pair in enumerate(pairs, start=1)
    ]
    return Table(
        title="Pair by pair",
        caption="Seconds of the method and of retraining, measured in turns, and the examples each read one by one: "
        "unknown where it took all at once, and a copy that is gone over many times counts once.",
        columns=("pair", "method", "retraining", "fraction", "read by the method", "read by retraining"),
        rows=tuple(rows),
    )


def _times(pairs: Sequence[Pair]) -> Intervals:
    """Draw what the method took beside retraining, pair by pair."""
    rows = []
    for number, pair in enumerate(pairs, start=1):
        for whose, lap in (("unlearned", pair.method), ("retrained", pair.retraining)):
            rows.append((f"pair {number}: {whose}", whose, _rounded(lap.seconds), None, None))
    return Intervals(
        title="Time against retraining",
        caption="Seconds of the method (unlearned) and of retraining, measured in turns.",
        x_label="seconds",
        rows=tuple(rows),
    )


def _rounded(value: float) -> float:
    """Round to four significant digits."""
    return value if value == 0 else round(value, 3 - math.floor(math.log10(abs(value))))
