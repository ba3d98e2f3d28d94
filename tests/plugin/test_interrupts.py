"""Ctrl-C, a real signal to a real process: a report that was asked for says that it is partial, and is whole."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

import pytest_unlearn.report
from pytest_unlearn.report import write
from tests.plugin.conftest import Suite

SCHEMA = json.loads((Path(pytest_unlearn.report.__file__).parent / "schema/report-v1.json").read_text())
ASKED = ("--unlearn-report", "--unlearn-gate")
SIGNAL = "import os, signal, time\n"


def interrupted(suite: Suite, *arguments: str, reason: str) -> pytest.RunResult:
    """The run was interrupted; its report is valid, partial and blocks."""
    result = suite.run(*ASKED, *arguments, subprocess=True)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    document = suite.report()
    jsonschema.validate(document, SCHEMA)
    assert reason in document["partial_reasons"]
    assert document["gate"]["release"] is False
    assert not list((suite.path / ".unlearn").rglob("*.tmp"))
    result.stdout.fnmatch_lines(
        [f"partial run: {reason}", "release gate: blocked*", "report: file://*index.html", "beside it: report.json, *"]
    )
    return result


@pytest.mark.slow
def test_in_a_test(suite: Suite) -> None:
    suite.write(
        test_it=SIGNAL
        + """
def test_a(): audit()
def test_b():
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(30)
def test_c(): audit("FAIL")
"""
    )
    interrupted(suite, reason="the run was stopped before its end")
    assert [claim["nodeid"] for claim in suite.report()["claims"]] == ["test_it.py::test_a"]


@pytest.mark.slow
def test_with_workers(suite: Suite) -> None:
    suite.write(
        test_it=SIGNAL
        + """
def test_a():
    audit()
def test_b():
    time.sleep(0.5)
    os.kill(os.getppid(), signal.SIGINT)  # the controller; a worker is its child
    time.sleep(2)
"""
    )
    interrupted(suite, "-n2", reason="the run was stopped before its end")


@pytest.mark.slow
def test_during_collection(suite: Suite) -> None:
    suite.write(test_it=SIGNAL + "os.kill(os.getpid(), signal.SIGINT)\ntime.sleep(30)\ndef test_a(): audit()")
    interrupted(suite, reason="the run was stopped before its first test")


@pytest.mark.parametrize("arguments", [(), ("-n2",)])
def test_a_collection_error_leaves_a_partial_report_too(suite: Suite, arguments: tuple[str, ...]) -> None:
    suite.write(test_it="def test_a(): audit()", test_broken="import no_such_module")
    result = suite.run(*ASKED, *arguments)
    assert result.ret != 0
    assert "test_broken.py could not be collected" in suite.report()["partial_reasons"]
    assert suite.report()["gate"]["release"] is False


@pytest.mark.slow
def test_a_path_that_does_not_exist_leaves_a_partial_report_too(suite: Suite) -> None:
    suite.write(test_it="def test_a(): audit()")
    assert suite.run(*ASKED).ret == 0
    assert suite.run(*ASKED, "no_such_file.py").ret == pytest.ExitCode.USAGE_ERROR
    assert suite.report()["claims"] == []
    assert suite.report()["gate"]["release"] is False


AGAIN = """
import os, signal
replace = os.replace
def interrupt(source, target):
    os.replace = replace
    os.kill(os.getpid(), signal.SIGINT)
    for _ in range(1000): pass
    replace(source, target)
os.replace = interrupt
"""


@pytest.mark.slow
@pytest.mark.parametrize("body", ["def test_a(): audit()", "def test_a(): raise KeyboardInterrupt"])
def test_while_the_report_is_written_nothing_half_done_stays(suite: Suite, body: str) -> None:
    suite.pytester.makeconftest(AGAIN)
    suite.write(test_it=body)
    result = suite.run(*ASKED, subprocess=True)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    left = {path.name for path in (suite.path / ".unlearn").rglob("*") if path.is_file()}
    assert left <= {".gitignore", "history.jsonl", *write.FILES}
    if "report.json" in left:
        jsonschema.validate(suite.report(), SCHEMA)
