"""xdist: however the tests are dealt out, and whatever becomes of a worker, the controller knows what ran."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Suite

SUITE = """
@pytest.mark.parametrize("i", range(4))
@pytest.mark.xdist_group("reference")
def test_a(i): audit()
@pytest.mark.unlearn
def test_marked(): audit()
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", [("-n0",), ("-n2",), pytest.param(("-n2", "--dist=loadgroup"), marks=pytest.mark.slow)])
def test_every_way_of_dealing_releases_alike(suite: Suite, how: tuple[str, ...]) -> None:
    suite.write(test_it=SUITE)
    result = suite.run("--unlearn-gate", "--unlearn-report", *how)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["5 claims planned, 5 ran: 5 passed*", "release gate: release"])
    assert suite.report()["counts"]["planned"] == 5


@pytest.mark.slow
def test_a_killed_worker_takes_only_its_own_test_along(suite: Suite) -> None:
    suite.write(
        test_release="""
        @pytest.mark.parametrize("i", range(6))
        def test_a(i): audit()
        @pytest.mark.unlearn
        def test_killer():
            audit()
            os._exit(1)
        """
    )
    result = suite.run("-n2", "--unlearn-gate", "--unlearn-report")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "7 claims planned, 6 ran: 6 passed, 0 failed, 0 inconclusive, 0 invalid",
            "*test_killer is marked as an audit but ended without any evidence (failed)",
            "1 worker crashed*",
            "release gate: blocked*",
        ]
    )
    assert suite.report()["crashed_workers"] == 1
    assert suite.report()["gate"]["release"] is False


@pytest.mark.slow
def test_when_every_worker_dies_there_is_still_a_report_and_no_release(suite: Suite) -> None:
    suite.write(test_it="def test_a(): audit()\ndef test_b(): os._exit(0)\ndef test_c(): os._exit(0)")
    result = suite.run("-n2", "--max-worker-restart=0", "--unlearn-gate", "--unlearn-report")
    assert result.ret != 0
    assert suite.report()["gate"]["release"] is False


@pytest.mark.parametrize("arguments", [("-x",), ("--maxfail=1", "-n2")])
def test_a_run_that_stops_at_a_failure_is_partial(suite: Suite, arguments: tuple[str, ...]) -> None:
    suite.write(test_it="def test_a(): audit()\ndef test_b(): assert 0\n" + "def test_c(): audit()\n")
    result = suite.run("--unlearn-gate", "--unlearn-report", *arguments)
    assert result.ret != 0
    assert "the run was stopped before its end" in suite.report()["partial_reasons"]
    assert suite.report()["gate"]["release"] is False
