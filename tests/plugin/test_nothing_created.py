"""Nothing is created until something is written."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Suite


@pytest.mark.parametrize("arguments", [("--collect-only",), ("--markers",), ("--help",), ("--fixtures",)])
def test_nothing_is_created_when_nothing_runs(suite: Suite, arguments: tuple[str, ...]) -> None:
    suite.write(test_it="def test_a(): audit()")
    before = set(suite.path.iterdir())
    assert suite.run("--unlearn-report", "--unlearn-gate", *arguments).ret == 0
    assert {path.name for path in set(suite.path.iterdir()) - before} <= {"__pycache__"}


def test_a_run_without_an_audit_creates_nothing(suite: Suite) -> None:
    suite.write(test_it="def test_a(): pass")
    suite.run("--unlearn-gate")
    assert not (suite.path / ".unlearn").exists()


def test_a_run_that_audits_leaves_a_line_in_the_history_and_nothing_else(suite: Suite) -> None:
    suite.write(test_it="def test_a(): audit()")
    suite.run()
    assert {path.name for path in (suite.path / ".unlearn").iterdir()} == {".gitignore", "history.jsonl"}
