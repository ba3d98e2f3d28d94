"""Random ledgers: any verdicts, outcomes and names, complete or not, with a gate or without, with a past or none."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from pytest_unlearn.core.claim_table import TABLE
from pytest_unlearn.report import gate, history
from pytest_unlearn.report.ledger import OUTCOMES, Ledger
from tests.evidences import evidence

ABOUT: dict[str, Any] = {
    "tool": {"name": "pytest-unlearn", "version": "0.2.0"},
    "created": "2026-11-29T10:00:00+00:00",
    "command": ["pytest"],
    "environment": {"python": "3.11", "platform": "Linux"},
    "gate": None,
    "release_files": [{"name": "model.bin", "sha256": "f11e" * 16}],
    "release_file_problems": [],
}
Run = tuple[dict[str, Any], dict[str, Any]]
"""A ledger, and the facts of its run."""

VALUES = {"PASS": (0.5,), "FAIL": (0.7,), "INCONCLUSIVE": (0.54, float("nan")), "INVALID": (0.5, float("nan"))}
NAMES = st.sampled_from(["a", "b", "c[1 2]", "d[\x1b[2J]", 'e["\\,:%\n::error::]', "f[<&]]>]", "g[\ud800]", "h" * 400])


@st.composite
def evidences(draw: st.DrawFn, fine: bool) -> dict[str, Any]:
    verdict = draw(st.sampled_from(["PASS", "PASS", "INCONCLUSIVE"] if fine else list(VALUES)))
    rest: dict[str, Any] = {"name": draw(st.sampled_from(["forgotten", "utility", *list(TABLE)[2:6], "a new claim"]))}
    if verdict == "INCONCLUSIVE" and (fine or draw(st.booleans())):
        rest |= {"not_testable": "the original is not recognised", "required": not fine and draw(st.booleans())}
    if draw(st.booleans()):
        rest["lowest"] = 0.4
    found = evidence(verdict, draw(st.sampled_from(VALUES[verdict])), **rest).to_json()
    if verdict == "FAIL" and draw(st.booleans()):  # decided by wider bounds, which allow for all attacks
        found["holm"] = {**found["estimate"], "low": 0.61, "high": 0.79}
    return found


@st.composite
def runs(draw: st.DrawFn) -> Run:
    """A ledger and its facts, with the gate's own decision; in half of them nothing is wrong."""
    book, fine = Ledger(), draw(st.booleans())
    for name in draw(st.lists(NAMES, max_size=4, unique=True)):
        found = draw(st.lists(evidences(fine), min_size=fine, max_size=3))
        proven = all(one["verdict"] == "PASS" or one.get("required") is False for one in found)
        outcomes = ("passed" if proven else "failed",) if fine else ("passed" if proven else "failed", *OUTCOMES)
        book.add(f"tests/test_it.py::test_{name}", draw(st.sampled_from(outcomes)), found, 0.5)
        if not found:
            book.plan([f"tests/test_it.py::test_{name}"])
    if fine:
        book.add(
            "tests/test_it.py::test_both", "passed", [evidence(name=n).to_json() for n in ("forgotten", "utility")]
        )
    book.recorded = len(book.entries) + (0 if fine else draw(st.sampled_from([0, 1])))
    if not fine and draw(st.booleans()):
        book.narrow("-k was given")
    ledger, about = book.freeze(), dict(ABOUT)
    if draw(st.booleans()):
        reasons = () if fine else draw(st.sampled_from([(), ("forgotten was FAIL of this very model",)]))
        past = history.Past("0" * 12, reasons, ("it was INCONCLUSIVE",)).to_json()
        ledger["history"] = about["history"] = past
    if draw(st.booleans()):
        decision = gate.decide(ledger, draw(st.sampled_from([("forgotten",), ("utility",), ("forgotten", "utility")])))
        about["gate"] = {"release": decision.release, "reasons": list(decision.reasons), "required": [],
                         "notes": list(decision.notes)}  # fmt: skip
    return ledger, about
