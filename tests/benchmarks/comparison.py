"""Time work beside a baseline in one process, turn by turn, and note what was compared."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

ROUNDS = 5


def compare(
    benchmark: Any,
    work: tuple[str, Callable[[], Any]],
    baseline: tuple[str, Callable[[], Any]],
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    clock: Callable[[], float] = time.perf_counter,
    scale: float = 1.0,
    rounds: int = ROUNDS,
) -> float:
    """Compare medians of as many rounds each, and hold the ratio to its target, if there is one.

    Args:
        benchmark: pytest-benchmark's fixture, whose `extra_info` the table in docs/benchmarks.md is made from.
        work: what it is, and the function that does it.
        baseline: the same for what it is compared with, called right before each round.
        at_least: how many times faster than the baseline it has to be.
        at_most: how many times the baseline's time it may take.
        clock: `time.process_time` for CPU time, where other processes share the machine.
        scale: how many times the baseline's function would have to be called to do as much.
        rounds: of each; the first one of both is not counted.

    Returns:
        The ratio that is held to the target.
    """
    times: dict[str, list[float]] = {"work": [], "baseline": []}

    def timed(which: str, function: Callable[[], Any]) -> Callable[[], None]:
        def run() -> None:
            start = clock()
            function()
            times[which].append(clock() - start)

        return run

    before = timed("baseline", baseline[1])
    before()
    benchmark.pedantic(timed("work", work[1]), setup=before, rounds=rounds, warmup_rounds=1)
    ours, theirs = (float(np.median(times[which][1:])) for which in ("work", "baseline"))
    theirs *= scale
    cheaper = at_most is not None
    ratio = ours / theirs if cheaper else theirs / ours
    unit = "times the time" if cheaper else "times faster"
    bound = f"at most {at_most:g}" if cheaper else f"at least {at_least or 0:g}"
    target = f"{bound} {unit}" if cheaper or at_least is not None else "none"
    measured = f"{ratio:.2f} {unit}"
    benchmark.extra_info.update(
        work=work[0], baseline=baseline[0], measured=measured, target=target,
        clock="CPU" if clock is time.process_time else "wall",
    )  # fmt: skip
    met = (at_least is None or ratio >= at_least) and (at_most is None or ratio <= at_most)
    assert met, f"{work[0]}: {measured}, and the target is {target}"
    return ratio
