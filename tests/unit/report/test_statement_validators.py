"""The statement is valid by in-toto's classes and Sigstore's; signed, it verifies the released files alone."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from google.protobuf import json_format
from in_toto_attestation.predicates.test_result.v0.test_result_pb2 import TestResult as Predicate
from in_toto_attestation.v1.statement import Statement
from in_toto_attestation.v1.statement_pb2 import Statement as Message
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError as NotSigned
from securesystemslib.signer import CryptoSigner, Key
from sigstore import dsse
from sigstore.errors import Error as SigstoreError
from sigstore.errors import VerificationError
from sigstore.hashes import Hashed
from sigstore_models.common.v1 import HashAlgorithm

from pytest_unlearn.cli import binding
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


def matches_by_sigstore(statement: dsse.Statement, content: bytes) -> bool:
    """Compare a file with the subjects as sigstore's `Verifier.verify_artifact` does."""
    hashed = Hashed(algorithm=HashAlgorithm.SHA2_256, digest=hashlib.sha256(content).digest())
    return statement._matches_digest(hashed)


def test_sigstore_takes_it_and_verifies_the_released_file_alone(text: str) -> None:
    statement = dsse.Statement(text.encode())
    assert matches_by_sigstore(statement, b"model.bin")
    assert matches_by_sigstore(statement, b"head.bin")
    assert not any(matches_by_sigstore(statement, other) for other in (b"", b"model.bin ", b"the report"))
    with pytest.raises(SigstoreError, match="malformed in-toto statement"):
        dsse.Statement(json.dumps({**json.loads(text), "subject": []}).encode())


def edited(text: str) -> bytes:
    """The statement with the digest of another file in the place of a released one's."""
    other, released = (hashlib.sha256(name).hexdigest() for name in (b"other.bin", b"model.bin"))
    assert released in text
    return text.replace(released, other).encode()


def test_signed_by_sigstore_the_released_file_verifies_and_nothing_else(text: str) -> None:
    ours, others = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    envelope = dsse.Envelope._from_json(dsse._sign(ours, dsse.Statement(text.encode())).to_json())

    verified = dsse.Statement(dsse._verify(ours.public_key(), envelope))
    assert matches_by_sigstore(verified, b"model.bin")
    assert not matches_by_sigstore(verified, b"other.bin")

    with pytest.raises(VerificationError, match="invalid signature"):
        dsse._verify(others.public_key(), envelope)
    document = json.loads(envelope.to_json())
    document["payload"] = base64.b64encode(edited(text)).decode()
    with pytest.raises(VerificationError, match="invalid signature"):
        dsse._verify(ours.public_key(), dsse.Envelope._from_json(json.dumps(document)))


def test_signed_by_in_totos_library_the_released_file_verifies_and_nothing_else(text: str) -> None:
    ours, others = (CryptoSigner.generate_ed25519() for _ in range(2))
    envelope = Envelope(text.encode(), dsse.Envelope._TYPE, {})
    envelope.sign(ours)
    document = json.dumps(envelope.to_dict())

    read = Envelope.from_dict(json.loads(document))
    assert list(read.verify([ours.public_key], 1)) == [ours.public_key.keyid]
    statement = json_format.Parse(read.payload, Message())
    assert matches(statement, b"model.bin")
    assert not matches(statement, b"other.bin")

    with pytest.raises(NotSigned):
        read.verify([others.public_key], 1)
    # The other key under our key's name: not the name but the signature is verified.
    with pytest.raises(NotSigned):
        read.verify([replaced(others.public_key, ours.public_key.keyid)], 1)
    read.payload = edited(text)
    with pytest.raises(NotSigned):
        read.verify([ours.public_key], 1)


def replaced(key: Key, keyid: str) -> Key:
    return Key.from_dict(keyid, key.to_dict())


def test_check_reads_what_sigstore_signed(text: str, tmp_path: Path) -> None:
    signed = dsse._sign(ec.generate_private_key(ec.SECP256R1()), dsse.Statement(text.encode()))
    (tmp_path / "attestation.dsse.json").write_text(signed.to_json())
    assert binding.read_statement(tmp_path / "attestation.dsse.json") == json.loads(text)
