"""Commands run in this process, and reports made from evidence built by hand."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_unlearn.__main__ import main
from pytest_unlearn.report import json as as_json
from pytest_unlearn.report.environment import facts
from pytest_unlearn.report.ledger import Ledger
from tests.evidences import evidence

Run = Callable[..., "Done"]


@pytest.fixture(autouse=True)
def no_suite_left_behind() -> Iterator[None]:
    """`plan` collects a suite in this process; its modules must not be taken for another suite's of the same name."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name == "conftest" or name.rpartition(".")[2].startswith("test_"):
            del sys.modules[name]


@dataclass(frozen=True)
class Done:
    """What a command left: its exit status and what it printed."""

    status: int
    out: str
    err: str


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command as `python -m pytest_unlearn` would."""

    def command(*arguments: Any) -> Done:
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as stop:
            status = int(stop.code or 0)
        return Done(status, *capsys.readouterr())

    return command


def provenance(**task: Any) -> dict[str, Any]:
    """Where evidence came from, with everything that makes two of them comparable."""
    return {
        "model": {"type": "torch.nn.Linear", "digest": "5eed" * 16, "not identified": ""},
        "data": {"forget": {"n": 400, "digest": "f"}, "controls": {"n": 800, "digest": "c"}},
        "settings": {"require_controls": True},
        "task": {"split": "s", "seed": 0, "references": [{"key": "k", "seed": 1000}], **task},
    }


def claim(
    verdict: str = "PASS", value: Any = 0.5, nodeid: str = "test_it.py::test_a", outcome: str = "passed", **rest: Any
) -> dict[str, Any]:
    """One test's claim, for `write`."""
    found = evidence(verdict, value, **{"provenance": provenance(), **rest}).to_json()
    return {"nodeid": nodeid, "outcome": outcome, "evidence": found}


def write(path: Path, *claims: dict[str, Any], partial: tuple[str, ...] = (), **about: Any) -> Path:
    """A report.json with these claims, written by the renderer."""
    book = Ledger(partial=list(partial))
    for one in claims:
        book.add(one["nodeid"], one["outcome"], [one["evidence"]])
    book.recorded = len(claims)
    path.write_text(as_json.render(book.freeze(), {**facts([], path.parent), **about}))
    return path


def change(path: Path, alter: Callable[[Any], Any]) -> Path:
    """Alter a written report by hand."""
    document = json.loads(path.read_text())
    alter(document)
    path.write_text(json.dumps(document))
    return path
