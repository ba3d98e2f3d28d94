"""A claim that held only when its test was run again is not proven: tries of a statistical test add up."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Suite

SECOND_TRY = """
TRIES = []
def test_a():
    TRIES.append(1)
    audit("FAIL" if len(TRIES) == 1 else "PASS")
"""
LATE = """
TRIES = []
def test_a():
    TRIES.append(1)
    assert len(TRIES) > 1  # no evidence in the first try
    audit()
"""
ONCE = "\ndef test_b(): audit()"


def blocked(suite: Suite, *arguments: str) -> None:
    """The tests pass in the end, and the gate blocks because one was run again."""
    result = suite.run("--unlearn-gate", *arguments)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["  - *: forgotten is PASS in test_it.py::test_a, but that test ended as rerun"])
    result.stdout.no_fnmatch_line("*test_b, but*")


@pytest.mark.parametrize("body", [SECOND_TRY, LATE])
@pytest.mark.parametrize("how", ["option", "marker"])
def test_rerunfailures(suite: Suite, body: str, how: str) -> None:
    pytest.importorskip("pytest_rerunfailures")
    suite.plugins = (*suite.plugins, "-ppytest_rerunfailures")
    if how == "marker":
        body = body.replace("def test_a", "@pytest.mark.flaky(reruns=2)\ndef test_a")
    suite.write(test_it=body + ONCE)
    blocked(suite, *(["--reruns=2"] if how == "option" else []))


@pytest.mark.parametrize("body", [SECOND_TRY, LATE])
def test_flaky_which_reports_the_last_try_alone(suite: Suite, body: str) -> None:
    pytest.importorskip("flaky")
    suite.plugins = (*suite.plugins, "-pflaky.flaky_pytest_plugin")
    suite.write(test_it=body.replace("def test_a", "@pytest.mark.flaky(max_runs=3)\ndef test_a") + ONCE)
    blocked(suite)


@pytest.mark.slow
def test_both_with_workers(suite: Suite) -> None:
    pytest.importorskip("pytest_rerunfailures")
    suite.plugins = (*suite.plugins, "-ppytest_rerunfailures")
    suite.write(test_it=LATE + ONCE)
    blocked(suite, "--reruns=2", "-n2")


def test_a_plugin_with_a_word_of_its_own_for_it(suite: Suite) -> None:
    suite.pytester.makeconftest(
        """
        import copy, pytest
        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_makereport(item, call):
            report = yield
            if call.when == "call" and item.name == "test_a":
                first = copy.copy(report)
                first.outcome = "retried"
                item.ihook.pytest_runtest_logreport(report=first)
            return report
        def pytest_report_teststatus(report):
            return ("retried", "R", "RETRY") if report.outcome == "retried" else None
        """
    )
    suite.write(test_it="def test_a(): audit()" + ONCE)
    blocked(suite)
