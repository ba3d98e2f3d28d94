"""--unlearn-report: written whole by the controller, or the run fails and says why."""

from __future__ import annotations

import json
import os
from pathlib import Path

import jsonschema
import pytest

import pytest_unlearn.report
from tests.plugin.conftest import Suite

SCHEMA = Path(pytest_unlearn.report.__file__).parent / "schema/report-v1.json"
SUITE = 'def test_a(): audit()\ndef test_b(): audit("FAIL", 0.62)\n@pytest.mark.unlearn\ndef test_c(): pytest.skip()\n'


@pytest.mark.parametrize("arguments", [(), ("-n2",), ("-x",)])
def test_both_files_are_written_and_their_paths_printed(suite: Suite, arguments: tuple[str, ...]) -> None:
    suite.write(test_it=SUITE)
    result = suite.run("--unlearn-report", *arguments)
    result.stdout.fnmatch_lines([f"report: {suite.path}/.unlearn/report/report.json", "report: *report.md"])
    document = suite.report()
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    assert document["counts"] == {"claims": 2, "passed": 1, "failed": 1, "inconclusive": 0, "invalid": 0}
    assert [claim["nodeid"] for claim in document["claims"]] == ["test_it.py::test_a", "test_it.py::test_b"]
    assert [row["nodeid"] for row in document["without_evidence"]] == ["test_it.py::test_c"]
    assert document["partial"] == ("-x" in arguments)
    assert sorted(os.listdir(suite.path / ".unlearn")) == [".gitignore", "report"]
    assert sorted(os.listdir(suite.path / ".unlearn/report")) == ["report.json", "report.md"]


def test_no_path_of_this_machine_is_in_the_report(suite: Suite) -> None:
    suite.write(test_it="def test_a(): audit()")
    suite.run("--unlearn-report", str(suite.path / "test_it.py"))
    assert str(suite.path) not in (suite.path / ".unlearn/report/report.json").read_text()
    assert suite.report()["command"][-1] == "test_it.py"


def test_the_markdown_makes_no_promise_it_cannot_keep(suite: Suite) -> None:
    suite.write(test_it="def test_a(): audit()")
    suite.run("--unlearn-report")
    text = (suite.path / ".unlearn/report/report.md").read_text()
    assert "no leakage was found through the tested channels" in text.splitlines()[-1]
    assert "removed" not in text


@pytest.mark.parametrize("how", ["command line", "ini"])
def test_the_directory_can_be_chosen(suite: Suite, how: str) -> None:
    suite.write(test_it="def test_a(): audit()")
    if how == "ini":
        suite.pytester.makeini("[pytest]\nunlearn_report = true\nunlearn_report_dir = out/audit\n")
    suite.run(*(["--unlearn-report", "--unlearn-report-dir=out/audit"] if how == "command line" else []))
    assert (suite.path / "out/audit/report.json").exists()
    assert not (suite.path / ".unlearn").exists()
    assert not (suite.path / "out/.gitignore").exists()


def test_a_report_that_cannot_be_written_fails_the_run_and_leaves_nothing_half_done(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "read-only file system")

    suite.write(test_it="def test_a(): audit()")
    monkeypatch.setattr("pytest_unlearn.report.publish.os.replace", refuse)
    result = suite.run("--unlearn-report")
    monkeypatch.undo()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["the report could not be written to *: *read-only file system*"])
    assert not [path for path in (suite.path / ".unlearn").rglob("*") if path.is_file()]


def test_a_file_in_the_way_of_the_directory_fails_the_run(suite: Suite) -> None:
    suite.write(test_it="def test_a(): audit()")
    (suite.path / "out").write_text("in the way")
    result = suite.run("--unlearn-report", "--unlearn-report-dir=out", "-n2")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["FAILED unlearn::report - the report could not be written to *"])


@pytest.mark.parametrize("arguments", [("--collect-only",), ("--markers",), ("--help",), ("--fixtures",)])
def test_nothing_is_created_when_nothing_runs(suite: Suite, arguments: tuple[str, ...]) -> None:
    suite.write(test_it="def test_a(): audit()")
    before = set(suite.path.iterdir())
    suite.run("--unlearn-report", "--unlearn-gate", *arguments)
    assert {path for path in set(suite.path.iterdir()) - before if path.name != "__pycache__"} == set()


def test_a_run_without_claims_still_has_its_report(suite: Suite) -> None:
    suite.write(test_it="def test_a(): pass")
    assert suite.run("--unlearn-report").ret == 0
    assert suite.report()["claims"] == []
