"""What every renderer says alike, and that it never says more than was proven."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_unlearn.core.wording import explain
from pytest_unlearn.report import markdown, terminal, wording
from pytest_unlearn.report.html import pictures
from pytest_unlearn.report.ledger import Ledger
from tests.evidences import evidence
from tests.unit.report.outlets.ledgers import ABOUT


def entry(verdict: str = "PASS", outcome: str = "passed", count: int = 1, **rest: Any) -> dict[str, Any]:
    return {"nodeid": "t", "outcome": outcome, "count": count, "evidence": evidence(verdict, **rest).to_json()}


def run(*outcomes: tuple[str, str]) -> dict[str, Any]:
    book = Ledger()
    for k, (verdict, outcome) in enumerate(outcomes):
        book.add(f"t{k}", outcome, [evidence(verdict).to_json()])
    return book.freeze()


RELEASE, BLOCK = {"release": True, "reasons": []}, {"release": False, "reasons": ["no"]}


def test_a_sentence_says_what_was_concluded_measured_and_allowed() -> None:
    assert wording.sentence(entry(value=0.52)) == (
        "No leakage was found through the tested channels: membership AUC 0.520, from 0.490 to 0.550 by one-sided 95% "
        "bounds; at most 0.55 is allowed."
    )
    assert wording.sentence(entry("FAIL", value=0.7)).startswith("The forget set can be told apart in this model: ")
    assert "at worst in 1,200 requests" in wording.sentence(entry(count=1200))
    assert wording.sentence(entry(outcome="skipped")).endswith("is allowed. The test itself ended as skipped.")


@pytest.mark.parametrize("verdict", ["PASS", "FAIL", "INCONCLUSIVE", "INVALID"])
def test_a_claim_nobody_has_words_for_still_gets_a_sentence(verdict: str) -> None:
    assert wording.sentence(entry(verdict, name="something_new"))[0].isupper()
    assert "n/a" in wording.sentence(entry(verdict, value=float("nan")))


@pytest.mark.parametrize(
    ("ledger", "gate", "passed", "text"),
    [
        (run(("PASS", "passed")), None, True, "Every claim was proven"),
        (run(("PASS", "passed")), RELEASE, True, "Release: every required claim was proven"),
        (run(("PASS", "passed")), BLOCK, False, "Blocked: the release gate is not satisfied"),
        (run(("PASS", "passed"), ("FAIL", "failed")), None, False, "1 of 2 claims was not proven"),
        (run(("PASS", "passed"), ("FAIL", "failed")), RELEASE, False,
         "The release gate is satisfied, but 1 of 2 claims was not proven"),
        (run(("PASS", "skipped"), ("PASS", "rerun")), None, False,
         "Every claim was proven, but a test did not pass: t0 ended as skipped, and 1 more"),
        (run(("PASS", "failed"), ("FAIL", "failed")), None, False, "1 of 2 claims was not proven"),
        (run(), None, False, "Nothing was audited"),
        ({**run(("PASS", "passed")), "partial": ["x"]}, None, False,
         "Incomplete: what ran was proven, but not everything ran"),
        ({**run(("PASS", "passed")), "lost": 1}, None, False,
         "Incomplete: what ran was proven, but not everything ran"),
    ],
)  # fmt: skip
def test_a_run_is_called_passed_only_when_everything_was_proven(
    ledger: dict[str, Any], gate: dict[str, Any] | None, passed: bool, text: str
) -> None:
    assert wording.conclusion(ledger, gate) == (passed, text)


@pytest.mark.parametrize("outcome", ["skipped", "xfailed", "xpassed", "rerun", "failed", "error", "not finished"])
def test_a_pass_in_a_test_that_did_not_pass_proves_nothing(outcome: str) -> None:
    assert not wording.is_proven(entry("PASS", outcome))
    assert wording.is_proven(entry("PASS", "passed"))
    assert not wording.is_proven(entry("INCONCLUSIVE", "passed"))


def test_what_needs_attention_comes_first() -> None:
    ledger = run(("PASS", "passed"), ("INCONCLUSIVE", "passed"), ("PASS", "skipped"), ("FAIL", "failed"),
                 ("INVALID", "failed"), ("PASS", "passed"))  # fmt: skip
    assert wording.most_severe_first(ledger["entries"]) == [4, 3, 1, 2, 0, 5]


def test_the_threat_model_promises_nothing_it_cannot_keep() -> None:
    assert "no leakage was found through the tested channels" in wording.THREAT_MODEL
    assert "can defeat any test of the model alone" in wording.THREAT_MODEL
    assert "removed" not in wording.THREAT_MODEL


def test_bounds_of_two_kinds_are_told_apart_wherever_both_are_shown() -> None:
    found = entry("FAIL", "failed", value=0.7)
    estimate = found["evidence"]["estimate"]
    alike = [explain(found["evidence"]), terminal.section([found]), pictures.main(found["evidence"], "a").says]
    assert not any("by itself" in text for text in alike)
    found["evidence"]["holm"] = {**estimate, "low": 0.61, "high": 0.79}
    assert "corrected for all attacks together; controls: one-sided 95% bounds, each by itself)" in explain(
        found["evidence"]
    )
    shown = terminal.section([found])
    assert "corrected for all attacks together; below, each attack: one-sided 95% bounds, each by itself" in shown
    assert shown.index("by itself") < shown.index("tripwire")
    assert "the others: one-sided 95% bounds, each by itself. this model 0.700 [0.610, 0.790]" in (
        pictures.main(found["evidence"], "a").says
    )
    book = Ledger()
    book.add("t", "failed", [found["evidence"]])
    told = markdown.render(book.freeze(), ABOUT)
    assert "attacks and controls: one-sided 95% bounds, each by itself" in told
