"""The annex lists what ran, what did not, whether a filter would have been seen, and the copies that stay."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_unlearn.core.claim_table import TABLE
from pytest_unlearn.core.evidence import Estimate
from pytest_unlearn.report import annex, attestation
from pytest_unlearn.report.html import page
from pytest_unlearn.report.ledger import Ledger
from tests.evidences import evidence
from tests.unit.report.outlets.ledgers import ABOUT


def ledger(*claims: dict[str, Any]) -> dict[str, Any]:
    book = Ledger()
    for k, one in enumerate(claims):
        found = evidence(**one).to_json()
        book.add(f"t.py::test_{k}", "passed" if found["verdict"] == "PASS" else "failed", [found])
    return book.freeze()


def rows(*claims: dict[str, Any]) -> dict[str, annex.AnnexRow]:
    return {row.attack_class: row for row in annex.rows(ledger(*claims))}


def test_what_did_not_run_stands_there_too() -> None:
    found = rows({"name": "forgotten"})
    assert found["membership inference from the model's answers"].ran == "yes: margin, entropy"
    result = found["membership inference from the model's answers"].result
    assert result == "forgotten PASS: 0.500 [0.470, 0.530], at most 0.55 allowed"
    for name in (
        "attribute inference",
        "extraction and regurgitation of training data",
        "recovery by learning the data again",
    ):
        assert (found[name].ran, found[name].result) == ("no", "not looked at")


def test_every_claim_that_attacks_has_its_class_and_access() -> None:
    no_attack = {"utility", "matches_retrained", "efficient", "text_utility"}
    assert {name for name, spec in TABLE.items() if not spec.attack_class} == no_attack
    assert all(spec.access for spec in TABLE.values() if spec.attack_class)
    listed = [claim for one in annex.classes() for claim in one.claims]
    assert sorted([*listed, *no_attack]) == sorted(TABLE)


def test_an_attack_within_a_claim_has_its_own_row() -> None:
    seen = Estimate(value=0.51, low=0.4, high=0.6, confidence=0.95, method="m", n_forget=9, n_controls=9)
    row = rows({"attacks": {"update leakage": seen, "margin": seen}})["comparing the model before and after deletion"]
    assert (row.ran, row.result) == ("yes: update leakage", "update leakage 0.510 [0.400, 0.600]")


def test_the_gravest_results_come_first_and_a_pass_that_is_not_borne_out_is_called_so() -> None:
    result = rows({}, {"verdict": "FAIL", "value": 0.7}, {"value": 0.6})[
        "membership inference from the model's answers"
    ].result
    assert result.startswith("forgotten FAIL: ")
    assert "forgotten PASS, not proven: 0.600" in result


def test_a_claim_of_a_later_version_is_a_class_of_its_own() -> None:
    assert rows({"name": "image_forgotten"})["image_forgotten"].access == "as the claim says"


@pytest.mark.parametrize(
    ("claims", "says"),
    [
        ([{}], "A filter was not told from forgetting"),
        ([{}, {"name": "features_forgotten"}], "features_forgotten is PASS"),
        (
            [{"name": "features_forgotten"}, {"name": "no_residual", "verdict": "FAIL", "value": 0.7}],
            "no_residual is FAIL",
        ),
        ([{"name": "no_residual", "verdict": "INCONCLUSIVE", "value": 0.54}], "A filter was not told from forgetting"),
    ],
)
def test_a_filter_is_told_from_forgetting_only_by_what_looks_behind_the_answers(claims: list[Any], says: str) -> None:
    assert says in annex.filters(ledger(*claims))


def test_copies_that_no_audit_covers_are_named() -> None:
    origins = {"original": "made in this run", "references": ["made in this run"] * 4}
    text = annex.render(ledger({"provenance": {"origins": origins}}), ABOUT)
    assert "needed as a control (made in this run); in the cache until `python -m pytest_unlearn cache purge`" in text
    assert "| retained reference models |" not in text
    assert "4 in this run; they never saw the data" in text
    for copy in ("checkpoints, exports and deployed copies", "backups", "logs and caches"):
        assert copy in text
    assert text.count("not covered: no audit of a model shows whether they are gone") == 4


def test_the_page_has_it_folded() -> None:
    text = page.render(ledger({}), ABOUT)
    assert '<details id="annex" class="printed">' in text
    assert "1 of 12 classes of attacks ran. This is evidence about the attacks that ran" in text
    assert "attribute inference" in text


DECLARED = {"access": "labels", "backups": "until 2027-01-31 | then overwritten"}


def test_what_is_declared_stands_as_declared_and_the_rest_as_not_declared() -> None:
    about = {**ABOUT, "declared": DECLARED}
    text = annex.render(ledger({}), about)
    assert "| what callers of the released model get | declared: labels |" in text
    assert "| backups that are kept | declared: until 2027-01-31 \\| then overwritten |" in text
    assert "| deadline of the request | not declared |" in text
    assert annex.render(ledger({}), ABOUT).count("| not declared |") == 7
    assert "did not look at any of it" in text
    folded = page.render(ledger({}), about)
    assert "<td>declared: labels" in folded
    assert folded.count("<td>not declared") == 5


def test_the_statement_has_it_as_an_annotation_of_the_report() -> None:
    made = attestation.statement(ledger({}), {**ABOUT, "declared": DECLARED}, "0" * 64)
    (report,) = (one for one in made["predicate"]["configuration"] if one["name"] == "report.json")
    found = report["annotations"]["declared"]
    assert (found["access"], found["deadline"]) == ("labels", "not declared")
    assert "labels" not in str(made["predicate"]["passedTests"])
