"""Run the checks of unlearners as pytest tests, one a check."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_unlearn.conformance.case import Case, ConformanceError, as_case, is_unsupported
from pytest_unlearn.conformance.suite import Check, require_check_names, unlearner_checks

if TYPE_CHECKING:
    import pytest


def parametrize_unlearners(
    unlearners: Iterable[Any], *, expected_failures: Mapping[str, str] | None = None
) -> pytest.MarkDecorator:
    """Parametrise a test over every check of every unlearner.

    Its ids are such as `FineTune-same-seed-same-weights`.

        @parametrize_unlearners([MyMethod(), (Other(), recipe), Case(Third(), expected_failures={...})])
        def test_conformance(unlearner, check):
            check()

    A check in which the method raises `Unsupported` is skipped with its sentence. The plugin prints at the end how
    many checks ran.

    Args:
        unlearners: each an unlearner, a pair `(unlearner, recipe)`, or a `Case`.
        expected_failures: check name -> why it fails, for all of them; such a test is a strict xfail.

    Returns:
        A decorator for a test with the arguments `unlearner` and `check`.

    Raises:
        ValueError: no unlearners, or an expected failure that no check has the name of.
    """
    import pytest

    cases = _distinctly_named([as_case(entry, expected_failures=expected_failures) for entry in unlearners])
    if not cases:
        raise ValueError("there is no unlearner to check: the list is empty.")
    tests = []
    for case in cases:
        require_check_names(case.expected_failures)
        for check in unlearner_checks(case):
            expected = case.expected_failures.get(check.name)
            marks = [] if expected is None else [pytest.mark.xfail(reason=expected, strict=True)]
            tests.append(pytest.param(case.unlearner, SkippingCheck(check), id=str(check), marks=marks))
    return pytest.mark.parametrize(("unlearner", "check"), tests)


def _distinctly_named(cases: list[Case]) -> list[Case]:
    """Name the second case of a name `name-2`."""
    seen: Counter[str] = Counter()
    named = []
    for case in cases:
        seen[case.label] += 1
        times = seen[case.label]
        named.append(replace(case, name=case.label if times == 1 else f"{case.label}-{times}"))
    return named


@dataclass(frozen=True)
class SkippingCheck:
    """Run a check that pytest shows as skipped where the method is unsupported."""

    check: Check

    def __call__(self) -> None:
        """Run the check."""
        __tracebackhide__ = True
        import pytest

        try:
            self.check()
        except ConformanceError as error:
            # The sentence is enough; where a method crashed is in the cause.
            raise error.with_traceback(None) from error.__cause__
        except Exception as error:
            if not is_unsupported(error):
                raise
            pytest.skip(f"unsupported: {error}")

    @property
    def name(self) -> str:
        """Return the name of the check."""
        return self.check.name

    def __str__(self) -> str:
        return str(self.check)
