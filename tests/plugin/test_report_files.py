"""--unlearn-report: written by the controller, into a directory that can be chosen, and it says where."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

import pytest_unlearn.report
from tests.plugin.conftest import Suite

SCHEMA = Path(pytest_unlearn.report.__file__).parent / "schema/report-v1.json"
SUITE = 'def test_a(): audit()\ndef test_b(): audit("FAIL", 0.62)\n@pytest.mark.unlearn\ndef test_c(): pytest.skip()\n'


@pytest.mark.parametrize("arguments", [(), ("-n2",), ("-x",)])
def test_the_files_are_written_and_their_addresses_printed(suite: Suite, arguments: tuple[str, ...]) -> None:
    suite.write(test_it=SUITE)
    result = suite.run("--unlearn-report", *arguments)
    folder = suite.path / ".unlearn/report"
    told = {line.partition(": ")[0]: line.partition(": ")[2] for line in result.outlines if ": " in line}
    assert told["report"] == (folder / "index.html").as_uri()
    assert {"index.html", *told["beside it"].split(", ")} == {path.name for path in folder.iterdir()}
    assert {"report.json", "report.md"} <= {path.name for path in folder.iterdir()}
    document = suite.report()
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    assert document["counts"] == {"planned": 3, "claims": 2, "passed": 1, "failed": 1, "inconclusive": 0, "invalid": 0}
    assert [claim["nodeid"] for claim in document["claims"]] == ["test_it.py::test_a", "test_it.py::test_b"]
    assert [row["nodeid"] for row in document["without_evidence"]] == ["test_it.py::test_c"]
    assert document["partial"] == ("-x" in arguments)
    assert {path.name for path in (suite.path / ".unlearn").iterdir()} == {".gitignore", "history.jsonl", "report"}


def test_no_path_of_this_machine_is_in_the_report(suite: Suite) -> None:
    suite.write(test_it="def test_a(): audit()")
    suite.run("--unlearn-report", str(suite.path / "test_it.py"))
    assert str(suite.path) not in (suite.path / ".unlearn/report/report.json").read_text()
    assert suite.report()["command"][-1] == "test_it.py"


def test_the_markdown_makes_no_promise_it_cannot_keep(suite: Suite) -> None:
    suite.write(test_it="def test_a(): audit()")
    suite.run("--unlearn-report")
    text = (suite.path / ".unlearn/report/report.md").read_text()
    assert text.index("no leakage was found through the tested channels") < text.index("## Claims")
    assert "removed" not in text


@pytest.mark.parametrize("how", ["command line", "ini"])
def test_the_directory_can_be_chosen(suite: Suite, how: str) -> None:
    suite.write(test_it="def test_a(): audit()")
    if how == "ini":
        suite.ini("unlearn_report = true", "unlearn_report_dir = out/audit")
    suite.run(*(["--unlearn-report", "--unlearn-report-dir=out/audit"] if how == "command line" else []))
    assert (suite.path / "out/audit/report.json").exists()
    assert not (suite.path / ".unlearn/report").exists()
    assert not (suite.path / "out/.gitignore").exists()


def test_a_run_without_claims_still_has_its_report(suite: Suite) -> None:
    suite.write(test_it="def test_a(): pass")
    assert suite.run("--unlearn-report").ret == 0
    assert suite.report()["claims"] == []


@pytest.mark.parametrize("option", ["--setup-plan", "--setup-only", "--collect-only"])
def test_a_run_that_calls_no_test_leaves_the_last_report_in_place(suite: Suite, option: str) -> None:
    suite.write(test_it=SUITE)
    suite.run("--unlearn-report")
    folder = suite.path / ".unlearn/report"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    result = suite.run("--unlearn-report", "--unlearn-gate", option)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert (result.ret == 0) == (option == "--collect-only")  # which decides nothing, and says so
    if option != "--collect-only":
        result.stdout.fnmatch_lines(["report: none, because --setup-only and --setup-plan call no test; *"])
