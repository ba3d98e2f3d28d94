"""List the checks of an unlearner, run by calling them; or run all into a report."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn

from pytest_unlearn.conformance.case import ConformanceError, as_case, is_unsupported
from pytest_unlearn.conformance.checks import FOR_ANY_MODEL, FOR_OUR_NETWORKS, Rule
from pytest_unlearn.conformance.harness import Harness


@dataclass(frozen=True)
class Check:
    """Check one promise of one unlearner when called.

    It returns, raises `ConformanceError`, or raises `Unsupported`.

    Attributes:
        unlearner: the name of the unlearner.
        name: the name of the check, the same for every unlearner.
    """

    unlearner: str
    name: str
    rule: Rule = field(repr=False, compare=False)
    harness: Harness = field(repr=False, compare=False)

    def __call__(self) -> None:
        """Run the check."""
        __tracebackhide__ = True
        self.rule(self.harness)

    @property
    def __name__(self) -> str:
        return self.name

    def __str__(self) -> str:
        return f"{self.unlearner}-{self.name}"


def unlearner_checks(unlearner: Any, *, recipe: Callable[..., Any] | None = None) -> Iterator[Check]:
    """Yield every check of an unlearner; what several need is computed once.

    Args:
        unlearner: `unlearner(model, retain, forget, *, seed) -> model`, or a `Case`.
        recipe: `recipe(dataset, *, seed) -> model`, which trains the kind of model that the method applies to. By
            default the unlearner's own `train` method if it has one, else the suite's small torch networks are used.

    Yields:
        Checks, in a fixed order.
    """
    case = as_case(unlearner, recipe)
    harness = Harness(case)
    rules = FOR_ANY_MODEL if case.training is not None else FOR_ANY_MODEL | FOR_OUR_NETWORKS
    return (Check(case.label, name, rule, harness) for name, rule in rules.items())


def require_check_names(names: Iterable[str]) -> None:
    """Refuse, with a ValueError, names that no check has."""
    rules = FOR_ANY_MODEL | FOR_OUR_NETWORKS
    if unknown := sorted(set(names) - rules.keys()):
        raise ValueError(f"no check is named {', '.join(unknown)}; there are {', '.join(rules)}.")


Status = Literal["passed", "failed", "unsupported", "expected"]


@dataclass(frozen=True)
class Outcome:
    """Note how one check ended, and why; "expected" is a failure that was expected."""

    check: str
    status: Status
    reason: str = ""


@dataclass(frozen=True, repr=False)
class Report:
    """Note how all checks of an unlearner ended; prints in one line."""

    unlearner: str
    outcomes: tuple[Outcome, ...]

    @property
    def ok(self) -> bool:
        """Tell whether no check failed; a method that refuses every problem fails one."""
        return not self.failed

    @property
    def passed(self) -> tuple[Outcome, ...]:
        """Select the checks that passed."""
        return self._with("passed")

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """Select the checks that failed, and the expected failures that did not."""
        return self._with("failed")

    @property
    def expected(self) -> tuple[Outcome, ...]:
        """Select the checks that failed as expected."""
        return self._with("expected")

    @property
    def unsupported(self) -> tuple[Outcome, ...]:
        """Select the checks in which the method refused the problem."""
        return self._with("unsupported")

    def _with(self, status: Status) -> tuple[Outcome, ...]:
        return tuple(outcome for outcome in self.outcomes if outcome.status == status)

    def __bool__(self) -> NoReturn:
        raise TypeError("a report has no truth value: ask for report.ok.")

    def __str__(self) -> str:
        kinds = {"passed": self.passed, "failed": self.failed}
        kinds |= {"failed as expected": self.expected, "unsupported": self.unsupported}
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
    expected = case.expected_failures
    require_check_names(expected)
    report = Report(case.label, tuple(_run(check, expected.get(check.name)) for check in unlearner_checks(case)))
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
        return Outcome(check.name, *(("failed", str(error)) if expected is None else ("expected", expected)))
    if expected is None:
        return Outcome(check.name, "passed")
    return Outcome(check.name, "failed", f"it passes, but was expected to fail ({expected}): expect it no longer")
