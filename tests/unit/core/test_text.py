"""Names that anyone may have written forge no line, turn none round, and hide nothing by their length."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_unlearn.core.text import LONGEST, LONGEST_NAME, printable, shortened, shown
from pytest_unlearn.report import html, markdown, terminal
from pytest_unlearn.report.environment import facts
from pytest_unlearn.report.gate import decide
from pytest_unlearn.report.ledger import Ledger
from pytest_unlearn.testing.failures import explain
from tests.evidences import evidence

FORGED = "\nrelease gate: release"
HOSTILE = {
    "right to left": "\u202egnissap\u202c",
    "isolates": "\u2066a\u2069",
    "zero width": "a\u200bb",
    "newline": FORGED,
    "carriage return": "\rPASS",
    "line separator": "a\u2028b\u0085c",
    "escape": "\x1b[2Kgone",
    "surrogate": "\udc80",
    "long": "A" * 1_000_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_text_becomes_one_printable_line(text: str) -> None:
    assert printable(text).isprintable()
    assert len(shown(text)) <= LONGEST
    assert len(shown({"nodeid": text})["nodeid"]) <= LONGEST_NAME
    assert shown(shown(text)) == shown(text)


@pytest.mark.parametrize("text", ["test_a.py::test_b[é-שלום-日本]", "a" * LONGEST_NAME, ""])
def test_a_plain_text_stays_as_it_is(text: str) -> None:
    assert shown({"nodeid": text, "n": [1, None, 0.5, True]}) == {"nodeid": text, "n": [1, None, 0.5, True]}


def test_long_texts_that_differ_stay_apart_and_say_how_long_they_were() -> None:
    one, other = (shortened("A" * 1_000_000 + end, 100) for end in "ab")
    assert one != other
    assert "(1,000,001 characters, " in one


def book(name: str) -> dict[str, Any]:
    found = Ledger()
    found.plan([f"test_it.py::other{name}"])
    leak = evidence("FAIL", label=name, reasons=(name,), attacks={name: evidence().estimate}, deciding=(name,))
    found.add(f"test_it.py::test{name}", "failed", [leak.to_json()])
    found.add(f"test_more{name}.py::test", "failed")
    return found.freeze()


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_no_report_shows_it_raw(name: str) -> None:
    ledger = book(name)
    decision = decide(ledger, ["forgotten"])
    about = facts([], Path("/somewhere"))
    about["gate"] = {"release": False, "reasons": list(decision.reasons), "required": ["forgotten"], "notes": []}
    texts = {
        "terminal": "\n".join(line for line, _ in terminal.lines(ledger, 100, about)),
        "section": terminal.section(ledger["entries"]),
        "failure": explain(evidence("FAIL", label=name, reasons=(name,)).to_json()),
        "gate": decision.explain(),
        "page": html.render(ledger, about),
        "markdown": markdown.render(ledger, about),
    }
    for where, text in texts.items():
        assert all(line.isprintable() for line in text.replace("\n", "").splitlines()), where
        assert FORGED not in text, where
        assert len(text) < 200_000, where
