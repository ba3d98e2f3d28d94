"""--unlearn-gate: a failing entry of its own unless every required claim was proven in a complete run."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Suite

BOTH = [(), ("-n2",)]


@pytest.mark.parametrize("arguments", BOTH)
def test_it_releases_when_every_required_claim_was_proven(suite: Suite, arguments: tuple[str, ...]) -> None:
    suite.write(test_it='def test_a(): audit()\ndef test_b(): audit("PASS", 0.01, name="utility")')
    suite.pytester.makeini("[pytest]\nunlearn_gate = true\nunlearn_require =\n    forgotten\n    utility\n")
    result = suite.run(*arguments)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["release gate: release"])


@pytest.mark.parametrize("arguments", BOTH)
def test_a_missing_claim_blocks_and_shows_everywhere(suite: Suite, arguments: tuple[str, ...]) -> None:
    suite.write(test_it='def test_a(): audit("PASS", 0.01, name="utility")')
    result = suite.run("--unlearn-gate", "--junitxml=junit.xml", "--unlearn-report", *arguments)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*= FAILURES =*",
            "  - no evidence for the required claim 'forgotten' (this run has evidence for utility)",
            "release gate: blocked*",
            "FAILED unlearn::release-gate*",
        ]
    )
    assert "release-gate" in (suite.path / "junit.xml").read_text()
    assert suite.report()["gate"]["release"] is False


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('def test_b(): audit("FAIL")', "forgotten is FAIL in test_it.py::test_b"),
        ("@pytest.mark.xfail(strict=False)\ndef test_b(): audit('FAIL')", "forgotten is FAIL in *"),
        ("@pytest.mark.xfail\ndef test_b():\n    audit(); assert 0", "*ended as xfailed"),
        ("@pytest.mark.xfail(strict=False)\ndef test_b(): audit()", "*ended as xpassed"),
        ("def test_b():\n    audit(); pytest.skip()", "*ended as skipped"),
        ("def test_b():\n    audit(); assert 0", "*ended as failed"),
        ("@pytest.fixture\ndef f():\n    yield\n    assert 0\ndef test_b(f): audit()", "*ended as error"),
        ("def test_b():\n    try: audit('FAIL')\n    except AssertionError: pass", "forgotten is FAIL in *"),
        ("@pytest.mark.unlearn\n@pytest.mark.skip\ndef test_b(): audit()", "*without any evidence (skipped)"),
        ("def test_b(): audit('INCONCLUSIVE')", "forgotten is INCONCLUSIVE in *"),
    ],
)
def test_what_is_not_a_plain_pass_blocks(suite: Suite, body: str, reason: str) -> None:
    suite.write(test_it=f"def test_a(): audit()\n{body}")
    result = suite.run("--unlearn-gate", "--unlearn-inconclusive=xfail")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([f"  - {reason}"])


NARROW = [("-k", "test_a"), ("-m", "not slow"), ("--deselect", "test_it.py::test_b"), ("test_it.py::test_a",)]


@pytest.mark.parametrize(
    ("narrow", "distribute"), [*((one, ()) for one in NARROW), (NARROW[0], ("-n2",)), (NARROW[3], ("-n2",))]
)
def test_a_partial_run_never_satisfies_it(suite: Suite, narrow: tuple[str, ...], distribute: tuple[str, ...]) -> None:
    suite.pytester.makeini("[pytest]\nmarkers = slow\n")
    suite.write(test_it="def test_a(): audit()\n@pytest.mark.slow\ndef test_b(): audit()")
    result = suite.run("--unlearn-gate", *narrow, *distribute)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["  - a partial run cannot satisfy the gate: *", "partial run: *"])


def test_last_failed_is_a_partial_run(suite: Suite) -> None:
    suite.write(test_it="def test_a(): audit()", test_other="def test_b(): assert 0")
    suite.plugins = suite.plugins[1:]  # with the cache
    suite.run()
    suite.write(test_other="def test_b(): audit()")
    result = suite.run("--lf", "--unlearn-gate")
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_a_selection_that_deselects_nothing_is_complete(suite: Suite) -> None:
    suite.pytester.makeini("[pytest]\naddopts = -m 'not slow'\nmarkers = slow\n")
    suite.write(test_it="def test_a(): audit()")
    assert suite.run("--unlearn-gate").ret == 0


def test_a_run_without_tests_blocks(suite: Suite) -> None:
    assert suite.run("--unlearn-gate").ret == pytest.ExitCode.TESTS_FAILED


def test_a_claim_proven_only_on_a_rerun_blocks(suite: Suite) -> None:
    suite.pytester.makeconftest(
        """
        import copy, pytest
        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_makereport(item, call):  # what pytest-rerunfailures does to a first try
            report = yield
            if call.when == "call":
                first = copy.copy(report)
                first.outcome = "rerun"
                item.ihook.pytest_runtest_logreport(report=first)
            return report
        """
    )
    suite.write(test_it="def test_a(): audit()")
    result = suite.run("--unlearn-gate")
    result.stdout.fnmatch_lines(["*PASS in test_it.py::test_a, but that test ended as rerun"])


def test_without_the_option_nothing_is_decided(suite: Suite) -> None:
    suite.write(test_it="def test_a(): pass")
    result = suite.run()
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*gate*")
