"""Plan the runs of `assert_algorithm`: their number, trainings and power."""

from __future__ import annotations

import ast
import contextlib
import inspect
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from textwrap import dedent
from typing import TYPE_CHECKING, Any

from pytest_unlearn.core.settings import Setting

if TYPE_CHECKING:
    from pytest_unlearn.task import UnlearningTask
    from pytest_unlearn.training import Job

NAMES = ("assert_algorithm", "audit_algorithm")
POWER = 0.8
MOST = 10_000  # more runs than anybody makes


@dataclass(frozen=True, order=True)
class Runs:
    """The runs that one call asks for; `sure` where its code says so in figures."""

    count: int
    requests: str
    sure: bool = True


def runs_of(tests: Iterable[Any]) -> tuple[Runs, ...]:
    """Read off the tests' code which runs they ask for; a helper's are not seen."""
    found = set()
    for test in tests:
        source = ""
        with contextlib.suppress(OSError, TypeError):  # a test made by other code has no source
            source = dedent(inspect.getsource(getattr(test, "obj", test)))
        with contextlib.suppress(SyntaxError):  # a piece that does not stand by itself
            found |= {_runs(call) for call in ast.walk(ast.parse(source)) if _asks(call)}
    return tuple(sorted(found))


def _asks(node: ast.AST) -> bool:
    called = node.func if isinstance(node, ast.Call) else None
    return getattr(called, "id", getattr(called, "attr", None)) in NAMES


def _runs(call: Any) -> Runs:
    from pytest_unlearn.claims.algorithm.audit import audit_algorithm

    defaults = {name: one.default for name, one in inspect.signature(audit_algorithm).parameters.items()}
    given = {word.arg: word.value for word in call.keywords}
    read = {name: getattr(given[name], "value", None) for name in ("runs", "requests") if name in given}
    values = {name: defaults[name] if read.get(name) is None else read[name] for name in ("runs", "requests")}
    return Runs(int(str(values["runs"])), str(values["requests"]), sure=None not in given and None not in read.values())


def jobs(task: UnlearningTask, runs: Runs) -> list[Job]:
    """List the trainings of the runs' originals; it trains nothing."""
    from pytest_unlearn.claims.algorithm.runs import FIRST_RUN_SEED, draw, open_pool

    pool = open_pool(task, "same" if runs.requests == "same" else "drawn")
    _, trains = draw(task, pool, runs.count)
    return task.jobs_on(trains, first_seed=task.seed + FIRST_RUN_SEED)


def lines(runs: Runs, limits: Sequence[tuple[Setting, Setting]], units: int, to_train: int) -> Iterator[str]:
    """Yield what the runs cost, and the chance that they let an exact method pass."""
    computed = "" if runs.sure else ", or as many as the test computes"
    over = "one request" if runs.requests == "same" else "drawn requests"
    cached = f"{runs.count - to_train} in the cache, {to_train} to train"
    yield f"assert_algorithm: {runs.count} runs over {over}{computed}: an original each ({cached}), and the method once"
    for limit, confidence in limits if runs.requests == "drawn" else ():
        chance = power(runs.count, limit.value, confidence.value, units)
        yield f"chance that a perfect method passes them within {limit.value:g}: about {chance:.0%}" + (
            "" if chance >= POWER else f"; {_more(runs, limit.value, confidence.value, units)}"
        )


def _more(runs: Runs, limit: float, confidence: float, units: int) -> str:
    likely = next((n for n in range(runs.count, MOST) if power(n, limit, confidence, units) >= POWER), None)
    return f"{POWER:.0%} takes about {likely:,} runs" if likely is not None else "choose a wider limit"


def power(runs: int, limit: float, confidence: float, units: int) -> float:
    """Compute the chance that runs over drawn requests let an exact method pass.

    `units` are those of a request, compared with as many. The widest interval decides: that of models judged by each
    other, whose variance counts twice.
    """
    from scipy import special

    from pytest_unlearn.claims.algorithm.aggregate import ENOUGH_RUNS
    from pytest_unlearn.statistics.auc.auc import null_standard_error
    from pytest_unlearn.statistics.quantiles import quantile

    error = null_standard_error(units, units) * math.sqrt((2.0 if runs >= ENOUGH_RUNS else 1.0) / runs)
    return max(0.0, 2.0 * float(special.ndtr((limit - 0.5) / error - quantile(confidence, runs - 1.0))) - 1.0)
