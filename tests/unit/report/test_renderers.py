"""The ledger and what is rendered from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import pytest_unlearn.report
from pytest_unlearn.core.recorder import Recorder
from pytest_unlearn.report import json as as_json
from pytest_unlearn.report import markdown, terminal
from pytest_unlearn.report import wording as words
from pytest_unlearn.report.environment import facts, relative
from pytest_unlearn.report.gate import decide
from pytest_unlearn.report.ledger import Ledger, reconcile
from tests.evidences import evidence

SCHEMA = json.loads((Path(pytest_unlearn.report.__file__).parent / "schema/report-v1.json").read_text())
ABOUT = facts(["--unlearn-report"], Path("/somewhere"))


def ledger(*verdicts: str, **rest: Any) -> Ledger:
    """A ledger with one passed test a verdict."""
    book = Ledger()
    for i, verdict in enumerate(verdicts):
        recorder = Recorder()
        recorder.add(evidence(verdict, **rest).to_json())
        book.add(f"test_it.py::test_{i}", "passed", recorder.drain())
    return book


def test_counts() -> None:
    counts = ledger("PASS", "PASS", "FAIL", "INVALID").freeze()["counts"]
    assert counts == {"planned": 4, "claims": 4, "passed": 2, "failed": 1, "inconclusive": 0, "invalid": 1}


def test_the_order_does_not_depend_on_who_came_first() -> None:
    books = [Ledger(), Ledger()]
    for book, order in zip(books, (("b", "a"), ("a", "b")), strict=True):
        for nodeid in order:
            book.add(nodeid, "passed", [evidence().to_json()])
    assert books[0].freeze() == books[1].freeze()


@pytest.mark.parametrize(
    ("outcomes", "final"),
    [
        ([None, "passed", None], "passed"),
        ([None, "passed", "error"], "error"),
        (["skipped"], "skipped"),
        ([None, "rerun", None, "passed"], "rerun"),
        ([None, "passed", "failed", "passed"], "failed"),
        ([None], "not finished"),
    ],
)
def test_the_gravest_of_several_reports_stands(outcomes: list[str | None], final: str) -> None:
    book = Ledger()
    for outcome in outcomes:
        book.add("t", outcome, [evidence().to_json()])
    assert {entry["outcome"] for entry in book.freeze()["entries"]} == {final}


def test_reconciling_names_what_is_missing() -> None:
    book = ledger("PASS")
    assert reconcile(book.freeze()) == []
    book.plan(["test_it.py::test_0", "test_it.py::test_9"])
    book.recorded, book.crashed_workers = 3, 2
    assert reconcile(book.freeze()) == [
        "test_it.py::test_9 is marked as an audit but ended without any evidence (not run)",
        "2 workers crashed; evidence of the tests they ran is lost",
        "2 recorded evidence(s) never reached the report",
    ]


def test_workers_are_merged() -> None:
    book = ledger("PASS")
    for _ in range(2):
        book.merge_worker({"planned": ["t"], "recorded": 1, "deselected": 3})
    frozen = book.freeze()
    assert (frozen["lost"], frozen["partial"]) == (1, ["3 tests were deselected"])


@pytest.mark.parametrize("verdicts", [(), ("PASS",), ("PASS", "FAIL", "INCONCLUSIVE", "INVALID")])
def test_json_follows_its_schema(verdicts: tuple[str, ...]) -> None:
    frozen = ledger(*verdicts, value=float("nan")).freeze()
    decision = decide(frozen, ["forgotten"])
    gate = {"release": decision.release, "reasons": list(decision.reasons)}
    text = as_json.render(frozen, {**ABOUT, "gate": gate})
    assert "NaN" not in text
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(json.loads(text), SCHEMA)


def test_the_schema_refuses_what_is_not_a_report() -> None:
    document = json.loads(as_json.render(ledger("PASS").freeze(), ABOUT))
    document["claims"][0]["evidence"]["verdict"] = "OK"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, SCHEMA)


def test_markdown_says_what_was_found_and_what_it_does_not_mean() -> None:
    text = markdown.render(ledger("PASS", "FAIL").freeze(), {**ABOUT, "gate": {"release": False, "reasons": ["a < b"]}})
    assert text.startswith("# Unlearning audit: DO NOT RELEASE\n\na &lt; b.\n\n* **model**: no file is named")
    assert "2 claims planned, 2 ran: 1 passed, 1 failed, 0 inconclusive, 0 invalid.\n" in text
    assert "## Why the gate blocks\n\n* a &lt; b\n" in text
    assert "| FAIL | forgotten | test_it.py::test_1 | passed | 0.500 [0.470, 0.530] vs membership AUC" in text
    assert "* max_mia_auc from default" in text
    assert "* margin, deciding: 0.500 [0.470, 0.530]" in text
    assert "* entropy, tripwire: 0.500" in text
    assert "* control: recognised" in text
    assert "* most exposed, by index: #17 (0.990)" in text
    assert text.index(f"**What PASS means.** {words.THREAT_MODEL}") < text.index("## Claims")


def test_markdown_keeps_a_hostile_test_id_in_its_cell() -> None:
    book = Ledger()
    book.add("test_it.py::test_a[<b>|x]", "passed", [evidence().to_json()])
    row = next(line for line in markdown.render(book.freeze(), ABOUT).splitlines() if line.startswith("| PASS"))
    assert "&lt;b>\\|x" in row


@pytest.mark.parametrize("width", [40, 80, 200])
def test_terminal_lines_fit(width: int) -> None:
    book = ledger("PASS", "INCONCLUSIVE", label="over-forgotten")
    book.add("test_it.py::test_" + "x" * 100, "passed", [evidence().to_json()])
    book.partial.append("y" * 300)
    assert all(len(line) <= width for line, _ in terminal.lines(book.freeze(), width, ABOUT))


def test_a_count_and_a_label_are_said() -> None:
    book = Ledger()
    book.add("t", "passed", [{**evidence("FAIL", 0.3, label="over-forgotten").to_json(), "count": 12}])
    rows = [line for line, _ in terminal.lines(book.freeze(), 150, ABOUT)]
    assert any(row.startswith("FAIL") and row.endswith("(over-forgotten) (worst of 12)") for row in rows)


def test_a_path_of_this_machine_is_made_relative() -> None:
    assert relative("--x=/project/a/b", Path("/project")) == "--x=a/b"
    assert relative("/project", Path("/project")) == "."
