"""What an INCONCLUSIVE verdict does to its test: fail, xfail or warn, from any layer."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Suite


def test_it_fails_unless_asked_otherwise(suite: Suite) -> None:
    suite.write(test_it='def test_a(): audit("INCONCLUSIVE")')
    suite.run().assert_outcomes(failed=1)


@pytest.mark.parametrize("arguments", [(), ("-n2",)])
def test_xfail_mode(suite: Suite, arguments: tuple[str, ...]) -> None:
    suite.write(
        test_it='def test_a(): audit("INCONCLUSIVE")\ndef test_b(): audit("FAIL")\ndef test_c(): audit("INVALID")'
    )
    result = suite.run("--unlearn-inconclusive=xfail", "-rx", *arguments)
    result.assert_outcomes(xfailed=1, failed=2)
    result.stdout.fnmatch_lines(["XFAIL test_it.py::test_a - *inconclusive, membership AUC at most 0.55*"])


def test_xfail_by_marker_and_by_ini(suite: Suite) -> None:
    suite.write(
        test_it="""
        @pytest.mark.unlearn(inconclusive="fail")
        def test_a(): audit("INCONCLUSIVE")
        def test_b(): audit("INCONCLUSIVE")
        """
    )
    suite.ini("unlearn_inconclusive = xfail")
    suite.run().assert_outcomes(failed=1, xfailed=1)


def test_a_leak_that_hypothesis_shrank_to_inconclusive_stays_a_failure(suite: Suite) -> None:
    suite.write(
        test_it="""
        from hypothesis import given, settings, strategies as st
        @settings(max_examples=60, database=None, derandomize=True)
        @given(st.integers(0, 100))
        def test_search(size):
            if size > 10:
                audit("FAIL" if size > 50 else "INCONCLUSIVE", size / 100)
        """
    )
    result = suite.run("--unlearn-inconclusive=xfail")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["1 claim planned, 1 ran: 0 passed, 1 failed*"])


def test_runxfail_switches_the_excuse_off(suite: Suite) -> None:
    suite.write(test_it='def test_a(): audit("INCONCLUSIVE")')
    suite.run("--unlearn-inconclusive=xfail", "--runxfail").assert_outcomes(failed=1)


def test_warn_mode_warns_and_passes(suite: Suite) -> None:
    suite.write(
        test_it="""
        from pytest_unlearn.testing.failures import raise_unless_proven
        def test_a(): raise_unless_proven(evidence("INCONCLUSIVE"))
        """
    )
    result = suite.run("--unlearn-inconclusive=warn", subprocess=True)
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(["1 claim planned, 1 ran: 0 passed, 0 failed, 1 inconclusive, 0 invalid"])
