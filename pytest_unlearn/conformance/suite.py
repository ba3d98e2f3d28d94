"""The battery of checks for one unlearner, each a value that is run by calling it.

The checks as a script runs them: all of them, and one report.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn

from pytest_unlearn.conformance.case import Case, ConformanceError, as_case, is_unsupported
from pytest_unlearn.conformance.checks import FOR_ANY_MODEL, FOR_OUR_NETWORKS, Rule
from pytest_unlearn.conformance.harness import Bench


@dataclass(frozen=True)
class Check:
    """One promise of one unlearner: call it, and it returns, raises `ConformanceError`, or raises `Unsupported`.

    Attributes:
        unlearner: the name of the unlearner.
        name: the name of the check, the same for every unlearner.
    """

    unlearner: str
    name: str
    rule: Rule = field(repr=False, compare=False)
    bench: Bench = field(repr=False, compare=False)

    def __call__(self) -> None:
        """Run the check."""
        __tracebackhide__ = True
        self.rule(self.bench)

    @property
    def __name__(self) -> str:
        return self.name

    def __str__(self) -> str:
        return f"{self.unlearner}-{self.name}"


def unlearner_checks(unlearner: Any, *, recipe: Callable[..., Any] | None = None) -> Iterator[Check]:
    """Every check of an unlearner. Each can be run on its own; what several need is computed once.

    Args:
        unlearner: `unlearner(model, retain, forget, *, seed) -> model`, or a `Case`.
        recipe: `recipe(dataset, *, seed) -> model`, which trains the kind of model that the method applies to. By
            default the unlearner's own `train` method if it has one, else the suite's small torch networks are used.

    Yields:
        Checks, in a fixed order.
    """
    return checks_of(as_case(unlearner, recipe))


def checks_of(case: Case) -> Iterator[Check]:
    """Every check of a case."""
    bench = Bench(case)
    rules = FOR_ANY_MODEL if case.training is not None else FOR_ANY_MODEL | FOR_OUR_NETWORKS
    return (Check(case.label, name, rule, bench) for name, rule in rules.items())


def require_known(expected_failures: Mapping[str, str]) -> None:
    """Refuse an expected failure that no check has the name of.

    Raises:
        ValueError: it names the checks that there are.
    """
    known = FOR_ANY_MODEL | FOR_OUR_NETWORKS
    unknown = sorted(expected_failures.keys() - known.keys())
    if unknown:
        raise ValueError(f"no check is named {', '.join(unknown)}; there are {', '.join(known)}.")


Status = Literal["passed", "failed", "unsupported", "expected"]


@dataclass(frozen=True)
class Outcome:
    """How one check ended: "passed", "failed", "unsupported", or "expected" for a failure that was; and why."""

    check: str
    status: Status
    reason: str = ""


@dataclass(frozen=True, repr=False)
class Report:
    """How all checks of an unlearner ended. Prints in one line, with the number of checks."""

    unlearner: str
    outcomes: tuple[Outcome, ...]

    @property
    def ok(self) -> bool:
        """Whether no check failed. A method that refuses every problem fails a check that says so."""
        return not self.failed

    @property
    def passed(self) -> tuple[Outcome, ...]:
        """The checks that passed."""
        return self._with("passed")

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """The checks that failed, and the expected failures that did not."""
        return self._with("failed")

    @property
    def expected(self) -> tuple[Outcome, ...]:
        """The checks that failed as expected."""
        return self._with("expected")

    @property
    def unsupported(self) -> tuple[Outcome, ...]:
        """The checks in which the method said that it does not apply."""
        return self._with("unsupported")

    def _with(self, status: Status) -> tuple[Outcome, ...]:
        return tuple(outcome for outcome in self.outcomes if outcome.status == status)

    def __bool__(self) -> NoReturn:
        raise TypeError("a report has no truth value: ask for report.ok.")

    def __str__(self) -> str:
        kinds = {
            "passed": self.passed,
            "failed": self.failed,
            "failed as expected": self.expected,
            "unsupported": self.unsupported,
        }
        counts = ", ".join(f"{len(outcomes)} {words}{_named(words, outcomes)}" for words, outcomes in kinds.items())
        return f"{self.unlearner}: {len(self.outcomes)} checks ran: {counts}"

    __repr__ = __str__


def _named(words: str, outcomes: tuple[Outcome, ...]) -> str:
    if words == "passed" or not outcomes:
        return ""
    checks: dict[str, list[str]] = {}
    for outcome in outcomes:
        checks.setdefault(" ".join(outcome.reason.split()), []).append(outcome.check)
    return " (" + "; ".join(f"{', '.join(names)}: {reason}" for reason, names in checks.items()) + ")"


def check_unlearner(
    unlearner: Any,
    *,
    recipe: Callable[..., Any] | None = None,
    expected_failures: Mapping[str, str] | None = None,
    on_fail: Literal["raise", "warn"] | None = "raise",
) -> Report:
    """Run every check of an unlearner.

    Args:
        unlearner: `unlearner(model, retain, forget, *, seed) -> model`, or a `Case`.
        recipe: `recipe(dataset, *, seed) -> model`, which trains the kind of model that the method applies to. By
            default the unlearner's own `train` method if it has one, else the suite's small torch networks are used.
        expected_failures: check name -> why it fails. One that passes is a failure: delete it from the list.
        on_fail: what to do with a report that is not ok: "raise" a `ConformanceError`, "warn", or None.

    Returns:
        The report.

    Raises:
        ConformanceError: a check failed, or an expected failure passed.
        ValueError: an expected failure that no check has the name of, or an unknown `on_fail`.
    """
    __tracebackhide__ = True
    if on_fail not in ("raise", "warn", None):
        raise ValueError(f'on_fail is "raise", "warn" or None, not {on_fail!r}.')
    case = as_case(unlearner, recipe, expected_failures)
    require_known(case.expected_failures)
    report = Report(case.label, tuple(_run(check, case.expected_failures.get(check.name)) for check in checks_of(case)))
    if not report.ok and on_fail == "raise":
        raise ConformanceError(str(report))
    if not report.ok and on_fail == "warn":
        warnings.warn(str(report), stacklevel=2)
    return report


def _run(check: Check, expected: str | None) -> Outcome:
    try:
        check()
    except Exception as error:
        if is_unsupported(error):
            return Outcome(check.name, "unsupported", str(error))
        if expected is not None:
            return Outcome(check.name, "expected", expected)
        return Outcome(check.name, "failed", str(error))
    if expected is not None:
        return Outcome(check.name, "failed", f"it passes, but was expected to fail ({expected}): expect it no longer")
    return Outcome(check.name, "passed")
