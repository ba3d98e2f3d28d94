"""--unlearn-gate: a failing entry of its own unless every required claim was proven in a complete run."""

from __future__ import annotations

import json

import pytest

from tests.plugin.conftest import Suite

BOTH = [(), ("-n2",)]


@pytest.mark.parametrize("arguments", BOTH)
def test_it_releases_when_every_required_claim_was_proven(suite: Suite, arguments: tuple[str, ...]) -> None:
    suite.write(test_it='def test_a(): audit()\ndef test_b(): audit("PASS", 0.01, name="utility")')
    suite.ini("unlearn_gate = true", "unlearn_require =", "    forgotten", "    utility")
    result = suite.run("--unlearn-report", *arguments)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["release gate: release"])
    assert suite.report()["gate"] == {"release": True, "reasons": [], "required": ["forgotten", "utility"], "notes": []}


@pytest.mark.parametrize("arguments", BOTH)
def test_a_missing_claim_blocks_and_shows_everywhere(suite: Suite, arguments: tuple[str, ...]) -> None:
    suite.write(test_it='def test_a(): audit("PASS", 0.01, name="utility")')
    result = suite.run("--unlearn-gate", "--unlearn-report", *arguments)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*= FAILURES =*",
            "  - not proven that *: no evidence for the required claim 'forgotten' (this run has evidence for utility)",
            "release gate: blocked, 1 reason above",
            "FAILED unlearn::release-gate*",
        ]
    )
    assert suite.report()["gate"]["release"] is False
    assert suite.report()["gate"]["required"] == ["forgotten"]


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
        ("@pytest.mark.unlearn\n@pytest.mark.skip\ndef test_b(): audit()", "*is marked*without any evidence (skipped)"),
        ("def test_b(): audit('INCONCLUSIVE')", "forgotten is INCONCLUSIVE in *"),
    ],
)
def test_what_is_not_a_plain_pass_blocks(suite: Suite, body: str, reason: str) -> None:
    suite.write(test_it=f"def test_a(): audit()\n{body}")
    result = suite.run("--unlearn-gate", "--unlearn-inconclusive=xfail")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([f"  - *{reason}"])


def test_runxfail_makes_an_expected_failure_a_plain_one(suite: Suite) -> None:
    suite.write(test_it="def test_a(): audit()\n@pytest.mark.xfail\ndef test_b():\n    audit(); assert 0")
    result = suite.run("--unlearn-gate", "--runxfail")
    result.stdout.fnmatch_lines(["  - *ended as failed"])


def test_a_run_without_tests_blocks(suite: Suite) -> None:
    assert suite.run("--unlearn-gate").ret == pytest.ExitCode.TESTS_FAILED


def test_without_the_option_nothing_is_decided(suite: Suite) -> None:
    suite.write(test_it="def test_a(): pass")
    result = suite.run()
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*gate*")


@pytest.mark.parametrize(
    ("recorded", "reason"),
    [
        ('evidence("PASS", float("nan"))', "*its estimate is not a number with two bounds"),
        ('evidence("PASS", .9)', "*the upper bound of its estimate, 0.93, is above the limit 0.55"),
        ('evidence("PASS", highest=float("inf"))', "*its claim has no limit"),
    ],
)
def test_a_pass_that_its_numbers_do_not_bear_out_blocks(suite: Suite, recorded: str, reason: str) -> None:
    suite.write(test_it=f"def test_a(): record({recorded})")
    suite.ini("unlearn_release_files = test_it.py")
    result = suite.run("--unlearn-gate", "--unlearn-report")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([f"  - not proven that *: forgotten is PASS in test_it.py::test_a, but {reason}"])
    attested = json.loads((suite.path / ".unlearn/report/attestation.json").read_text())
    assert attested["predicate"]["result"] == "FAILED"


def test_a_run_that_fails_beside_its_audits_is_not_released(suite: Suite) -> None:
    suite.write(test_it="def test_a(): audit()\ndef test_b(): assert 0")
    suite.ini("unlearn_release_files = test_it.py")
    result = suite.run("--unlearn-gate", "--unlearn-report")
    result.stdout.fnmatch_lines(["  - the run failed beside its audits: test_it.py::test_b"])
    assert suite.report()["failed_tests"] == ["test_it.py::test_b"]
    attested = json.loads((suite.path / ".unlearn/report/attestation.json").read_text())
    assert attested["predicate"]["result"] == "FAILED"


def test_what_a_thread_records_counts(suite: Suite) -> None:
    suite.write(
        test_it="""
        import threading
        def test_a():
            audit()
            found = evidence("FAIL")
            thread = threading.Thread(target=lambda: record(found))
            thread.start(); thread.join()
        """
    )
    result = suite.run("--unlearn-gate")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["  - refuted that *: forgotten is FAIL in test_it.py::test_a"])
