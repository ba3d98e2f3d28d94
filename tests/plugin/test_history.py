"""Every run with an audit is remembered, and a release of a model that failed before says so everywhere."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pytest_unlearn.report import history
from tests.plugin.conftest import Suite

SUITE = """
FOUND = {{"model": {{"type": "m", "digest": "5eed" * 16, "not identified": ""}},
         "data": {{"forget": {{"n": 9, "digest": "f"}}, "controls": {{"n": 9, "digest": "c"}}}},
         "task": {{"seed": {seed}}}}}
def test_a(): audit("{verdict}", {value}, provenance=FOUND)
"""
FAILS = SUITE.format(verdict="FAIL", value=0.7, seed=0)
PASSES = SUITE.format(verdict="PASS", value=0.5, seed=1)


def records(suite: Suite, path: str = ".unlearn/history.jsonl") -> list[dict[str, Any]]:
    found, broken = history.parse((suite.path / path).read_text())
    assert not broken
    return [dict(record) for record in found]


def attested(suite: Suite) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((suite.path / ".unlearn/report/attestation.json").read_text())["predicate"]
    return found


@pytest.fixture
def failed_once(suite: Suite) -> Suite:
    """A suite whose plain run, without a gate, has failed, and that passes now by another seed."""
    suite.ini("unlearn_release_files = model.bin", "unlearn_require = forgotten")
    (suite.path / "model.bin").write_text("weights")
    suite.write(test_it=FAILS)
    assert suite.run().ret == pytest.ExitCode.TESTS_FAILED
    suite.write(test_it=PASSES)
    return suite


@pytest.mark.parametrize("arguments", [(), ("-n2",)])
def test_running_again_until_it_passes_releases_nothing_and_is_said_everywhere(
    failed_once: Suite, arguments: tuple[str, ...]
) -> None:
    suite = failed_once
    result = suite.run("--unlearn-gate", "--unlearn-report", *arguments)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    told = f"forgotten was FAIL of this very model on * (run {records(suite)[0]['run']}, seed 0, test_it.py::test_a)*"
    result.stdout.fnmatch_lines([f"*{told}", "release gate: blocked, 1 reason above"])
    report = suite.report()
    assert report["gate"]["reasons"] == report["history"]["reasons"]
    assert "is PASS now" in report["history"]["reasons"][0]
    for name in ("index.html", "report.md"):
        assert "was FAIL of this very model" in (suite.path / ".unlearn/report" / name).read_text()
    assert attested(suite)["result"] == "FAILED"
    assert "was FAIL of this very model" in attested(suite)["warnedTests"][0]
    assert [one["decision"] for one in records(suite)] == ["NOT DECIDED", "DO NOT RELEASE"]
    assert report["history"]["run"] == records(suite)[1]["run"]


@pytest.mark.parametrize("how", ["command line", "ini"])
def test_a_fail_that_is_accepted_by_name_releases_with_a_warning(failed_once: Suite, how: str) -> None:
    suite, run = failed_once, records(failed_once)[0]["run"]
    if how == "ini":
        suite.ini("unlearn_release_files = model.bin", "unlearn_require = forgotten", f"unlearn_accept_failed = {run}")
    arguments = [f"--unlearn-accept-failed={run}"] if how == "command line" else []
    result = suite.run("--unlearn-gate", "--unlearn-report", *arguments)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["release gate: release", f"forgotten was FAIL * (run {run}*; accepted by *"])
    assert suite.report()["gate"]["notes"] == suite.report()["history"]["warnings"]
    assert attested(suite)["result"] == "WARNED"


def test_without_a_gate_it_is_said_as_well(failed_once: Suite) -> None:
    result = failed_once.run()
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*forgotten was FAIL of this very model*"])


def test_a_name_that_no_run_has_is_refused(suite: Suite) -> None:
    suite.write(test_it=PASSES)
    result = suite.run("--unlearn-accept-failed=latest")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*accept_failed must be names of runs of the history (twelve hexadecimal digits)*"])


@pytest.mark.parametrize("how", ["command line", "ini"])
def test_the_history_can_lie_where_ci_keeps_it(suite: Suite, how: str) -> None:
    suite.write(test_it=PASSES)
    if how == "ini":
        suite.ini("unlearn_history = kept/history.jsonl")
    suite.run(*(["--unlearn-history=kept/history.jsonl"] if how == "command line" else []))
    assert [one["decision"] for one in records(suite, "kept/history.jsonl")] == ["NOT DECIDED"]
    assert not (suite.path / ".unlearn").exists()
    assert {path.name for path in (suite.path / "kept").iterdir()} == {"history.jsonl"}


def test_a_history_that_was_asked_for_and_cannot_be_read_blocks(suite: Suite) -> None:
    suite.ini("unlearn_history = kept", "unlearn_require = forgotten")
    (suite.path / "kept").mkdir()
    suite.write(test_it=PASSES)
    result = suite.run("--unlearn-gate")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*kept is a folder, not a file. What it says of this model is not known*"])
    assert suite.run().ret == pytest.ExitCode.TESTS_FAILED  # asked for, and not written


def test_one_that_nobody_asked_for_changes_nothing_and_is_said(suite: Suite) -> None:
    suite.ini("unlearn_require = forgotten")
    (suite.path / ".unlearn/history.jsonl").mkdir(parents=True)
    suite.write(test_it=PASSES)
    result = suite.run("--unlearn-gate")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["release gate: release", "the history *history.jsonl cannot be used: *is a folder*"])
    assert suite.run().ret == 0


def test_what_cannot_be_read_of_it_is_said(suite: Suite) -> None:
    suite.ini("unlearn_require = forgotten")
    suite.write(test_it=PASSES)
    suite.run()
    with (suite.path / ".unlearn/history.jsonl").open("a") as file:
        file.write('{"version": 1, "cut": ')
    result = suite.run("--unlearn-gate")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["1 line of the history history.jsonl cannot be read: what was there is not known"])


@pytest.mark.parametrize("argument", ["--collect-only", "--setup-only"])
def test_a_run_that_calls_no_test_is_no_run(suite: Suite, argument: str) -> None:
    suite.write(test_it=PASSES)
    suite.run(argument)
    assert not (suite.path / ".unlearn").exists()


KILLED = {
    "before its first verdict": "def test_0(): os.kill(os.getpid(), 9)\n",
    "after a PASS": "def test_b(): os.kill(os.getpid(), 9)\n",
    "by os._exit": "def test_b(): os._exit(0)\n",
}


@pytest.mark.slow
@pytest.mark.parametrize("how", list(KILLED))
def test_a_run_that_is_killed_is_remembered_and_said_of_the_next(suite: Suite, how: str) -> None:
    suite.ini("unlearn_release_files = model.bin", "unlearn_require = forgotten")
    (suite.path / "model.bin").write_text("weights")
    first, last = (KILLED[how], "") if how == "before its first verdict" else ("", KILLED[how])
    suite.write(test_it=first + PASSES.replace("def test_a", "@pytest.mark.unlearn\ndef test_a") + last)
    for _ in range(2):
        suite.run(subprocess=True)
    assert [history.has_ended(one) for one in records(suite)] == [False, False]
    suite.write(test_it=PASSES)
    suite.run("--unlearn-gate", "--unlearn-report")
    killed = records(suite)[1]["run"]
    told = (
        f"a run of this very model that began on {suite.report()['created'][:10]} (run {killed}) has no end, nor has 1"
    )
    assert told in suite.report()["history"]["warnings"][0]
    assert suite.report()["gate"]["release"]
    assert told in (suite.path / ".unlearn/report/report.md").read_text()
    assert attested(suite)["result"] == "WARNED"
    assert [history.has_ended(one) for one in records(suite)] == [False, False, True]
    suite.run("--unlearn-gate", "--unlearn-report")
    assert suite.report()["history"]["warnings"] == []


@pytest.mark.slow
def test_a_fail_that_was_seen_before_a_run_was_killed_stands(suite: Suite) -> None:
    suite.ini("unlearn_require = forgotten")
    suite.write(test_it=FAILS + KILLED["after a PASS"])
    suite.run(subprocess=True)
    suite.write(test_it=PASSES)
    suite.run("--unlearn-gate", "--unlearn-report")
    (reason,) = suite.report()["gate"]["reasons"]
    assert f"(run {records(suite)[0]['run']}, seed 0, test_it.py::test_a)" in reason


@pytest.mark.slow
def test_a_run_whose_workers_and_controller_are_killed_is_remembered(suite: Suite) -> None:
    suite.write(test_it=PASSES + "def test_b(): os.kill(os.getppid(), 9)\nimport pytest_unlearn\n")
    suite.run("-n1")
    (one,) = records(suite)
    assert not history.has_ended(one)
    assert one["tests"]


@pytest.mark.slow
def test_runs_without_an_end_of_unknown_models_are_a_note_where_the_tests_are_the_same(suite: Suite) -> None:
    die = "\n    if os.path.exists('die'): os._exit(1)\n   "
    suite.write(test_it=PASSES.replace("def test_a():", "@pytest.mark.unlearn\ndef test_a():" + die))
    (suite.path / "die").touch()
    suite.run(subprocess=True)
    (suite.path / "die").unlink()
    suite.run("--unlearn-report")
    past = suite.report()["history"]
    assert "a run of the same tests that began on" in past["notes"][0]
    assert not past["warnings"]


@pytest.mark.slow
@pytest.mark.parametrize("stop", ["-x", "KeyboardInterrupt"])
def test_a_run_that_is_stopped_has_an_end_and_its_fail_stands(suite: Suite, stop: str) -> None:
    suite.ini("unlearn_require = forgotten")
    after = "def test_b(): raise KeyboardInterrupt\n" if stop != "-x" else "def test_b(): audit()\n"
    suite.write(test_it=FAILS + after)
    suite.run(*(["-x"] if stop == "-x" else []), subprocess=True)
    (one,) = records(suite)
    assert history.has_ended(one)
    assert one["partial"]
    suite.write(test_it=PASSES)
    suite.run("--unlearn-gate", "--unlearn-report")
    assert "forgotten was FAIL of this very model" in suite.report()["gate"]["reasons"][0]


def test_a_run_that_is_under_way_is_not_held_against_itself(suite: Suite) -> None:
    suite.write(test_it=PASSES)
    suite.run("--unlearn-report")
    assert suite.report()["history"]["warnings"] == suite.report()["history"]["notes"] == []
    (one,) = records(suite)
    assert (one["ended"], one["decision"]) == (True, "NOT DECIDED")


@pytest.mark.parametrize("arguments", [(), ("-n2",)], ids=["here", "workers"])
def test_a_file_that_speaks_of_audits_and_makes_none_ends_as_pytest_does(
    suite: Suite, arguments: tuple[str, ...]
) -> None:
    suite.write(test_it="from pytest_unlearn import Split, UnlearningTask\ndef test_a(): assert Split\n")
    result = suite.run(*arguments)
    assert result.ret == pytest.ExitCode.OK, result.outlines
    result.stdout.no_fnmatch_line("*INTERNALERROR*")
