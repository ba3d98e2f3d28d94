"""The statement is valid by in-toto's classes, and Sigstore's where they are; it verifies the released files alone."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from in_toto_attestation.predicates.test_result.v0.test_result_pb2 import TestResult as Predicate
from in_toto_attestation.v1.statement import Statement
from in_toto_attestation.v1.statement_pb2 import Statement as Message

from pytest_unlearn.core.release_files import find_files
from pytest_unlearn.report import attestation
from pytest_unlearn.report.ledger import Ledger
from tests.evidences import evidence
from tests.unit.report.test_write import ABOUT


@pytest.fixture(params=["PASS", "FAIL", "nothing"])
def text(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The statement of a run that released two files."""
    book = Ledger()
    if request.param != "nothing":
        book.add("t", "passed", [evidence(request.param).to_json()])
    for name in ("model.bin", "head.bin"):
        (tmp_path / name).write_text(name)
    about = {**ABOUT, "release_files": find_files(["*.bin"], tmp_path).rows()}
    return attestation.render(book.freeze(), about, "the report")


def test_in_toto_takes_it(text: str) -> None:
    message = json_format.Parse(text, Message())  # an unknown field is an error
    Statement.copy_from_pb(message).validate()
    predicate = json_format.ParseDict(json.loads(text)["predicate"], Predicate())
    assert predicate.result in ("PASSED", "FAILED")
    assert predicate.configuration[0].name == "report.json"
    assert [dict(row.digest) for row in message.subject] == [
        {"sha256": hashlib.sha256(name.encode()).hexdigest()} for name in ("head.bin", "model.bin")
    ]


@pytest.mark.parametrize("field", ["_type", "subject", "predicateType", "predicate"])
def test_in_toto_refuses_one_without_a_part(text: str, field: str) -> None:
    broken = {name: value for name, value in json.loads(text).items() if name != field}
    with pytest.raises(ValueError):
        Statement.copy_from_pb(json_format.ParseDict(broken, Message())).validate()


def matches(statement: Any, content: bytes) -> bool:
    """Verify a file as `cosign verify-blob-attestation` does: its digest is a subject's."""
    return any(row.digest["sha256"] == hashlib.sha256(content).hexdigest() for row in statement.subject)


def test_a_released_file_verifies_and_no_other(text: str) -> None:
    statement = json_format.Parse(text, Message())
    assert matches(statement, b"model.bin")
    assert matches(statement, b"head.bin")
    assert not any(matches(statement, other) for other in (b"", b"model.bin ", b"the report", b"Model.bin"))


def test_sigstore_takes_it_and_verifies_the_released_file_alone(text: str) -> None:
    dsse = pytest.importorskip("sigstore.dsse", reason="the sigstore client is not installed")
    from sigstore.hashes import Hashed
    from sigstore_models.common.v1 import HashAlgorithm

    statement = dsse.Statement(text.encode())

    def verifies(content: bytes) -> bool:
        hashed = Hashed(algorithm=HashAlgorithm.SHA2_256, digest=hashlib.sha256(content).digest())
        return bool(statement._matches_digest(hashed))

    assert verifies(b"model.bin")
    assert not verifies(b"model.bin ")
    with pytest.raises(Exception, match="tatement"):
        dsse.Statement(json.dumps({**json.loads(text), "subject": []}).encode())
