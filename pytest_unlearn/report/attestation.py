"""Write the run as an unsigned in-toto statement: model, data and result.

Signing is the platform's job (`cosign attest-blob`, GitHub's `actions/attest`). Source: in-toto Statement v1 and the
predicate test-result v0.1, both at https://github.com/in-toto/attestation/tree/main/spec.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pytest_unlearn.report.gate import excused
from pytest_unlearn.report.wording import conclusion, is_accepted

STATEMENT = "https://in-toto.io/Statement/v1"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
ALGORITHMS = {32: "md5", 40: "sha1", 64: "sha256"}  # by hexadecimal digits; joblib names estimators by an md5


def render(ledger: Mapping[str, Any], about: Mapping[str, Any], report: str = "") -> str:
    """Write the statement as JSON, bound to the text of report.json by its digest.

    A warning is a claim that was not testable here, of a test that passed. Policies accept warnings, so whatever else
    is not proven (INCONCLUSIVE too) is FAILED.
    """
    entries = ledger["entries"]
    failed = {row["nodeid"] for row in (*entries, *ledger["without_evidence"]) if not is_accepted(row)}
    warned = sorted(
        f"{row['nodeid']}: {row['evidence']['claim']['name']} not testable here"
        for row in entries
        if excused(row["evidence"]) and row["nodeid"] not in failed
    )
    statement = {
        "_type": STATEMENT,
        "subject": _subjects(entries) or [_described("report.json", _sha256(report))],
        "predicateType": TEST_RESULT,
        "predicate": {
            "result": ("WARNED" if warned else "PASSED") if conclusion(ledger, about.get("gate"))[0] else "FAILED",
            "configuration": [_described("report.json", _sha256(report)), *_data(entries)],
            "passedTests": sorted({row["nodeid"] for row in entries} - failed),
            "warnedTests": warned,
            "failedTests": sorted(failed),
        },
    }
    return json.dumps(statement, indent=1, ensure_ascii=False) + "\n"


def _subjects(entries: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """List the audited models, by digest of their tensors or of their answers."""
    found: dict[str, str] = {}
    for entry in entries:
        provenance = entry["evidence"]["provenance"]
        model = provenance.get("model") or {}
        outputs = (provenance.get("settings") or {}).get("outputs")
        if model.get("digest"):
            found.setdefault(model["digest"], f"tensors of {model.get('type', 'the model')}")
        elif outputs:
            found.setdefault(outputs, f"outputs of {model.get('type', 'the model')}")
    return [_described(name, digest) for digest, name in sorted(found.items())]


def _data(entries: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    found = {
        (part["digest"], f"{name} examples")
        for entry in entries
        for name, part in (entry["evidence"]["provenance"].get("data") or {}).items()
        if part.get("digest")
    }
    return [_described(name, digest) for digest, name in sorted(found)]


def _described(name: str, digest: str) -> dict[str, Any]:
    return {"name": name, "digest": {ALGORITHMS.get(len(digest), "sha256"): digest}}


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()
