"""Write the run as an unsigned in-toto statement: released files, data and result.

Signing is the platform's job (`cosign attest-blob`, GitHub's `actions/attest`). Source: in-toto Statement v1 and the
predicate test-result v0.1, both at https://github.com/in-toto/attestation/tree/main/spec.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pytest_unlearn.core.identity import DECLARED
from pytest_unlearn.core.release_files import is_digest
from pytest_unlearn.report import on_method
from pytest_unlearn.report.annex import NOT_DECLARED
from pytest_unlearn.report.excuse import excused
from pytest_unlearn.report.wording import conclusion, is_accepted

STATEMENT = "https://in-toto.io/Statement/v1"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
REPORT = "report.json"
NOTHING_TO_ATTEST = (
    "no attestation.json: neither unlearn_release_files nor assert_release(files=) names a released file"
)


def render(ledger: Mapping[str, Any], about: Mapping[str, Any], report: str = "") -> str:
    """Write the statement as JSON; empty if no release file is named.

    Args:
        ledger: what ran.
        about: the facts of the run; its `release_files` are the subjects.
        report: the text of report.json, which the statement binds by its digest.
    """
    digest = hashlib.sha256(report.encode("utf-8", "backslashreplace")).hexdigest()
    made = statement(ledger, about, digest)
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n" if made["subject"] else ""


def statement(ledger: Mapping[str, Any], about: Mapping[str, Any], report: str) -> dict[str, Any]:
    """Make the statement about a run whose report.json has a digest.

    A warning is a claim that was not testable here, of a test that passed, or what earlier runs hold against the same
    model. Policies accept warnings, so whatever else is not proven (INCONCLUSIVE too) is FAILED. What is declared of
    the release is an annotation of the report, and nothing that was tested.
    """
    entries = ledger["entries"]
    failed = {row["nodeid"] for row in (*entries, *ledger["without_evidence"]) if not is_accepted(row)}
    of_method = on_method.methods((about.get("gate") or {}).get("required") or ())
    warned = sorted(
        f"{row['nodeid']}: {row['evidence']['claim']['name']} {why}"
        for row in entries
        for why, applies in (
            ("not testable here", excused(row["evidence"])),
            ("judged the method, not this model", row["evidence"]["claim"]["name"] in of_method),
        )
        if applies and row["nodeid"] not in failed
    )
    declared = {name: (about.get("declared") or {}).get(name, NOT_DECLARED) for name in DECLARED}
    past = about.get("history") or {}
    warned += [f"history: {sentence}" for name in ("reasons", "warnings") for sentence in past.get(name, ())]
    return {
        "_type": STATEMENT,
        "subject": subjects(about),
        "predicateType": TEST_RESULT,
        "predicate": {
            "result": ("WARNED" if warned else "PASSED") if conclusion(ledger, about.get("gate"))[0] else "FAILED",
            "configuration": [
                {**_described(REPORT, report), "annotations": {"declared": declared}},
                *_audited(entries),
            ],
            "passedTests": sorted({row["nodeid"] for row in entries} - failed),
            "warnedTests": warned,
            "failedTests": sorted(failed),
        },
    }


def subjects(about: Mapping[str, Any]) -> list[dict[str, Any]]:
    """List the released files by SHA-256, each name once."""
    files = {row["name"]: row["sha256"] for row in about.get("release_files", ()) if is_digest(row["sha256"])}
    return [_described(name, digest) for name, digest in sorted(files.items())]


def _audited(entries: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """List the models and data that were looked at, as far as they have a SHA-256."""
    found: set[tuple[Any, str]] = set()
    for entry in entries:
        provenance = entry["evidence"].get("provenance") or {}
        model, data = provenance.get("model") or {}, provenance.get("data") or {}
        found.add((model.get("digest"), f"audited {model.get('type', 'model')}"))
        found |= {((part or {}).get("digest"), f"{name} examples") for name, part in data.items()}
    rows = [(digest, name) for digest, name in found if is_digest(digest)]
    return [_described(name, digest) for digest, name in sorted(rows)]


def _described(name: str, digest: str) -> dict[str, Any]:
    return {"name": name, "digest": {"sha256": digest}}
