"""attestation.json: an unsigned in-toto test-result statement that calls nothing passed that was not proven."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from pytest_unlearn.report import attestation
from pytest_unlearn.report import write as publish
from pytest_unlearn.report.ledger import Ledger
from tests.evidences import evidence
from tests.unit.report.test_write import ABOUT

MODEL, FORGET = "a" * 64, "b" * 64
PROVENANCE = {
    "model": {"type": "torch.nn.Linear", "digest": MODEL},
    "data": {"forget": {"n": 3, "digest": FORGET}, "controls": {"n": 9, "digest": "c" * 64}},
    "settings": {"outputs": "d" * 64},
}


def statement(*claims: tuple[str, str], gate: Any = None, provenance: Any = PROVENANCE) -> dict[str, Any]:
    book = Ledger()
    for k, (verdict, outcome) in enumerate(claims):
        book.add(f"t{k}", outcome, [evidence(verdict, provenance=provenance).to_json()])
    found: dict[str, Any] = json.loads(attestation.render(book.freeze(), {**ABOUT, "gate": gate}, "the report"))
    return found


def test_it_is_a_statement_of_the_published_type() -> None:
    found = statement(("PASS", "passed"))
    assert found["_type"] == "https://in-toto.io/Statement/v1"
    assert found["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
    assert set(found["predicate"]) == {"result", "configuration", "passedTests", "warnedTests", "failedTests"}


def test_its_subject_is_the_model_and_its_configuration_the_data_and_the_report() -> None:
    found = statement(("PASS", "passed"), ("PASS", "passed"))
    assert found["subject"] == [{"name": "tensors of torch.nn.Linear", "digest": {"sha256": MODEL}}]
    described = {row["name"]: row["digest"]["sha256"] for row in found["predicate"]["configuration"]}
    assert described["report.json"] == hashlib.sha256(b"the report").hexdigest()
    assert described["forget examples"] == FORGET
    assert len(described) == 3


def test_a_model_without_tensors_is_known_by_its_outputs() -> None:
    found = statement(("PASS", "passed"), provenance={**PROVENANCE, "model": {"type": "function", "digest": ""}})
    assert found["subject"] == [{"name": "outputs of function", "digest": {"sha256": "d" * 64}}]
    estimator = {**PROVENANCE, "model": {"type": "sklearn", "digest": "e" * 32}}
    assert statement(("PASS", "passed"), provenance=estimator)["subject"][0]["digest"] == {"md5": "e" * 32}


def test_a_run_without_claims_still_has_a_subject_and_fails() -> None:
    found = statement()
    assert found["subject"][0]["name"] == "report.json"
    assert found["predicate"]["result"] == "FAILED"


@pytest.mark.parametrize("verdict", ["FAIL", "INCONCLUSIVE", "INVALID"])
@pytest.mark.parametrize("outcome", ["passed", "xfailed", "failed"])
def test_whatever_is_not_proven_is_failed_and_nothing_is_a_warning(verdict: str, outcome: str) -> None:
    found = statement(("PASS", "passed"), (verdict, outcome))["predicate"]
    assert (found["result"], found["passedTests"], found["failedTests"]) == ("FAILED", ["t0"], ["t1"])
    assert found["warnedTests"] == []


def test_the_gate_decides_the_result() -> None:
    blocked = {"release": False, "reasons": ["a partial run"]}
    assert statement(("PASS", "passed"), gate=blocked)["predicate"]["result"] == "FAILED"
    assert statement(("PASS", "passed"), gate={"release": True, "reasons": []})["predicate"]["result"] == "PASSED"


def test_a_test_with_a_proven_and_a_refuted_claim_failed() -> None:
    book = Ledger()
    book.add("t", "failed", [evidence("PASS").to_json(), evidence("FAIL", name="utility").to_json()])
    found = json.loads(attestation.render(book.freeze(), ABOUT))["predicate"]
    assert (found["passedTests"], found["failedTests"]) == ([], ["t"])


def test_a_planned_audit_that_left_no_evidence_failed() -> None:
    book = Ledger()
    book.add("t", "passed", [evidence("PASS").to_json()])
    book.plan(["skipped"])
    found = json.loads(attestation.render(book.freeze(), ABOUT))["predicate"]
    assert found["failedTests"] == ["skipped"]
    assert found["result"] == "FAILED"


def test_it_binds_the_report_that_lies_beside_it() -> None:
    texts = publish.render(Ledger().freeze(), ABOUT)
    bound = json.loads(texts["attestation.json"])["predicate"]["configuration"][0]["digest"]["sha256"]
    assert bound == hashlib.sha256(texts["report.json"].encode()).hexdigest()
