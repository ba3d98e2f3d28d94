"""What was recorded is what is reported; what was planned and left nothing is named."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Suite


def test_a_test_marked_as_an_audit_without_evidence_is_named(suite: Suite) -> None:
    suite.write(
        test_release="""
        @pytest.mark.unlearn(confidence=0.9)
        def test_skipped(): pytest.skip()
        @pytest.mark.unlearn
        def test_empty(): pass
        """
    )
    suite.run().stdout.fnmatch_lines(
        [
            "2 claims planned, 0 ran: *",
            "test_release.py::test_empty is marked as an audit but ended without any evidence (passed)",
            "test_release.py::test_skipped is marked as an audit but ended without any evidence (skipped)",
        ]
    )


@pytest.mark.parametrize("arguments", [(), ("-n2",)])
def test_evidence_that_a_plugin_loses_on_the_way_blocks(suite: Suite, arguments: tuple[str, ...]) -> None:
    suite.pytester.makeconftest(
        """
        import pytest
        @pytest.hookimpl(wrapper=True, tryfirst=True)
        def pytest_runtest_makereport(item, call):
            report = yield
            if item.name == "test_b":
                vars(report).pop("_unlearn_evidence", None)
            return report
        """
    )
    suite.write(test_it="def test_a(): audit()\ndef test_b(): audit()")
    result = suite.run("--unlearn-gate", *arguments)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["  - 1 recorded evidence(s) never reached the report"])


@pytest.mark.parametrize("arguments", [(), ("-n2",)])
def test_numpy_scalars_in_evidence_do_no_harm(suite: Suite, arguments: tuple[str, ...]) -> None:
    suite.write(
        test_release="""
        import numpy as np
        FOUND = {"n": np.int64(3), "a": np.arange(2), "bad": float("nan")}
        def test_a(): audit("PASS", np.float32(0.5), provenance=FOUND)
        """
    )
    result = suite.run("--unlearn-report", *arguments)
    assert result.ret == 0
    assert suite.report()["claims"][0]["evidence"]["provenance"] == {"n": 3, "a": [0, 1], "bad": None}
