"""Bind a stored report to a file, a date and its attestation.

Each function yields why the report is not about it, a sentence each. Signatures are the platform's to check (`cosign
verify-blob-attestation`, `gh attestation verify`): here a statement is read whether it is signed or not.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_unlearn.claims.policies import POLICIES, Policy
from pytest_unlearn.cli.console import Unusable, one_line
from pytest_unlearn.core import release_files
from pytest_unlearn.core.settings import age_seconds
from pytest_unlearn.report import attestation

Document = Mapping[str, Any]
CLOCKS_DIFFER = 60  # seconds by which the clock of the machine that made the report may be ahead
IN_TOTO = "application/vnd.in-toto+json"


def max_age(text: str) -> datetime.timedelta:
    """Read an age such as 7d, 12h or 30m.

    Raises:
        ValueError: it is none, or 0.
    """
    return datetime.timedelta(seconds=age_seconds(text))


def about_file(document: Document, file: Path) -> Iterator[str]:
    """Yield why a report is not about a file, by its SHA-256.

    Raises:
        Unusable: there is no such file.
    """
    try:
        digest = release_files.sha256(file)
    except (OSError, ValueError) as error:
        raise Unusable(f"{file} cannot be hashed: {one_line(error)}") from None
    recorded = document.get("release_files", [])
    if not recorded:
        yield f"the report records no release files, so that nothing binds it to {file} (ini unlearn_release_files)"
    elif digest not in [row["sha256"] for row in recorded]:
        names = ", ".join(row["name"] for row in recorded)
        yield f"{file} (sha256 {digest[:12]}) is not among the files that the report is about: {names}"


def young_enough(document: Document, most: datetime.timedelta | None, now: datetime.datetime) -> Iterator[str]:
    """Yield why a report is older than allowed, if anything is, or from the future."""
    try:
        created = datetime.datetime.fromisoformat(document["created"])
        age = now - created
    except (KeyError, TypeError, ValueError):
        yield "the report does not say when it was made"
        return
    if most is not None and age > most:
        yield f"the report was made {document['created']}, longer ago than {most}"
    if age < -datetime.timedelta(seconds=CLOCKS_DIFFER):
        yield f"the report was made {document['created']}, which lies in the future"


def attested(document: Document, ledger: Mapping[str, Any], text: bytes, file: Path) -> Iterator[str]:
    """Yield where a statement is not the one of this very report.

    Args:
        document: the report.
        ledger: rebuilt from it.
        text: the report as it is stored.
        file: an in-toto statement, alone, in a DSSE envelope, or in a Sigstore bundle.

    Raises:
        Unusable: the file holds no statement.
    """
    found = read_statement(file)
    made = attestation.statement(ledger, document, hashlib.sha256(text).hexdigest())
    if not made["subject"]:
        yield "the report records no release files, so that there is nothing that a statement could be about"
    for field in ("_type", "predicateType"):
        if found.get(field) != made[field]:
            yield f"the attestation's {field} is {_short(found.get(field))}, not {made[field]}"
    if _digests(found.get("subject")) != _digests(made["subject"]):
        yield "the attestation is about other files than the report: " + _differing(found, made)
    predicate = found.get("predicate")
    predicate = predicate if isinstance(predicate, Mapping) else {}
    for field in ("result", "passedTests", "warnedTests", "failedTests"):
        ours, theirs = _short(made["predicate"][field]), _short(predicate.get(field))
        if predicate.get(field) != made["predicate"][field]:
            yield f"the attestation's {field} is {theirs}, and the report makes it {ours}"
    report = (attestation.REPORT, "sha256", made["predicate"]["configuration"][0]["digest"]["sha256"])
    if report not in (_digests(predicate.get("configuration")) or ()):
        yield "the attestation is not of this report: it names another digest of report.json"


def read_statement(file: Path) -> Mapping[str, Any]:
    """Read an in-toto statement, alone, in a DSSE envelope, or in a Sigstore bundle.

    Raises:
        Unusable: the file holds none.
    """
    try:
        found = json.loads(file.read_text("utf-8"))
        envelope = found.get("dsseEnvelope", found)
        if "payload" in envelope:
            if envelope.get("payloadType") != IN_TOTO:
                raise ValueError(f"its payload is {_short(envelope.get('payloadType'))}, not {IN_TOTO}")
            found = json.loads(base64.b64decode(envelope["payload"], validate=True))
        if not isinstance(found, dict) or "_type" not in found:
            raise ValueError("it holds no in-toto statement")
    except OSError as error:
        raise Unusable(f"{file} cannot be read: {error.strerror or one_line(error)}") from None
    except (ValueError, AttributeError, TypeError, binascii.Error, RecursionError) as error:
        raise Unusable(f"{file} is no attestation: {one_line(error)}") from None
    return found


def named_policy(name: str) -> Policy:
    """Look up a bundled policy.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in POLICIES:
        raise ValueError(f"there is no policy {name!r}; there are {', '.join(POLICIES)}")
    return POLICIES[name]


def _digests(rows: Any) -> set[tuple[str, str, str]] | None:
    """List names and digests of descriptors; None if a name stands twice, or they are none."""
    try:
        found = [(row["name"], kind, digest) for row in rows for kind, digest in row["digest"].items()]
        names = [row["name"] for row in rows]
    except (TypeError, KeyError, AttributeError):
        return None
    return set(found) if len(names) == len(set(names)) else None


def _differing(found: Document, made: Document) -> str:
    """Name the files that only one of two statements is about."""
    ours, theirs = (_digests(one.get("subject")) for one in (made, found))
    if theirs is None:
        return "its subjects are not files of unique names with a digest"
    return ", ".join(sorted({name for name, *_ in (ours or set()) ^ theirs})) or "none"


def _short(value: Any, most: int = 120) -> str:
    text = repr(value)
    return text if len(text) <= most else text[: most - 3] + "..."
