"""attestation.json: an unsigned in-toto test-result statement that calls nothing passed that was not proven."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from pytest_unlearn.report import attestation
from pytest_unlearn.report import write as publish
from pytest_unlearn.report.ledger import Ledger
from tests.evidences import evidence
from tests.unit.report.test_write import ABOUT, RELEASED

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


def test_its_subject_is_the_released_file_and_its_configuration_the_report_the_model_and_the_data() -> None:
    found = statement(("PASS", "passed"), ("PASS", "passed"))
    assert found["subject"] == [{"name": "model.safetensors", "digest": {"sha256": RELEASED[0]["sha256"]}}]
    described = {row["name"]: row["digest"]["sha256"] for row in found["predicate"]["configuration"]}
    assert described["report.json"] == hashlib.sha256(b"the report").hexdigest()
    assert described["forget examples"] == FORGET
    assert described["audited torch.nn.Linear"] == MODEL
    assert len(described) == 4


@pytest.mark.parametrize("digest", ["", None, "e" * 32, "0" * 64, hashlib.sha256().hexdigest(), "E" * 64])
def test_a_digest_of_nothing_or_of_another_algorithm_is_left_out(digest: Any) -> None:
    found = statement(("PASS", "passed"), provenance={**PROVENANCE, "model": {"type": "sklearn", "digest": digest}})
    assert [row["name"] for row in found["predicate"]["configuration"]] == [
        "report.json",
        "forget examples",
        "controls examples",
    ]
    assert all(list(row["digest"]) == ["sha256"] for row in (*found["subject"], *found["predicate"]["configuration"]))


def test_names_of_subjects_are_unique() -> None:
    twice = [*RELEASED, {"name": "model.safetensors", "sha256": "a" * 64}, {"name": "b", "sha256": "b" * 64}]
    names = [row["name"] for row in attestation.subjects({"release_files": twice})]
    assert names == ["b", "model.safetensors"]


def test_without_a_released_file_there_is_no_statement() -> None:
    for files in ([], [{"name": "model.pt", "sha256": "0" * 64}], [{"name": "model.pt", "sha256": "e" * 32}]):
        about = {**ABOUT, "release_files": files}
        assert attestation.render(Ledger().freeze(), about, "the report") == ""
        assert "attestation.json" not in publish.render(Ledger().freeze(), about)


def test_an_old_statement_goes_where_there_is_no_new_one(tmp_path: Path) -> None:
    publish.write(Ledger().freeze(), ABOUT, tmp_path, tmp_path)
    assert (tmp_path / "attestation.json").exists()
    done = publish.write(Ledger().freeze(), {**ABOUT, "release_files": []}, tmp_path, tmp_path)
    assert not (tmp_path / "attestation.json").exists()
    assert done.remarks == (attestation.NOTHING_TO_ATTEST,)


def test_a_run_without_claims_fails() -> None:
    assert statement()["predicate"]["result"] == "FAILED"


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
