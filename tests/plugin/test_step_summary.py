"""GitHub's job summary: the text of report.md is appended, and never so much of it that GitHub refuses all."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_unlearn.report.markdown import LARGEST, NOTICE, append, fitted
from tests.plugin.conftest import Suite


@pytest.fixture
def summary(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that GitHub names."""
    path = suite.path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
    suite.write(test_it="def test_a(): audit()")
    return path


@pytest.mark.parametrize("arguments", [(), ("-n2",)])
def test_the_report_is_appended_once(suite: Suite, summary: Path, arguments: tuple[str, ...]) -> None:
    summary.write_text("# Of another step\n")
    suite.run("--unlearn-report", *arguments)
    report = (suite.path / ".unlearn/report/report.md").read_text()
    assert summary.read_text() == f"# Of another step\n\n{report}"


def test_without_a_report_nothing_is_appended(suite: Suite, summary: Path) -> None:
    suite.run("--unlearn-gate")
    assert not summary.exists()


def test_a_failure_to_append_is_said_and_fails_nothing(suite: Suite, summary: Path) -> None:
    summary.mkdir()
    result = suite.run("--unlearn-report")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["nothing was appended to $GITHUB_STEP_SUMMARY: *directory*"])
    assert suite.report()["claims"]


def test_what_does_not_fit_is_cut_at_a_line_and_said(tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    path.write_bytes(b"x" * 1000)
    append("a line of text, with an ä in it\n" * 50_000, path)
    text = path.read_text()
    assert LARGEST - 100 < len(text.encode()) <= LARGEST
    assert text.endswith("a line of text, with an ä in it" + NOTICE)


def test_a_full_summary_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    path.write_bytes(b"x" * (LARGEST - 10))
    append("a line\n" * 10, path)
    assert path.stat().st_size == LARGEST - 10
    assert fitted("a line\n", 7) == b"a line\n"
