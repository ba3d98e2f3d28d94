"""The ledger as report.json; schema/report-v1.json describes it. Within version 1 fields are only added."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

SCHEMA_VERSION = 1


def render(ledger: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    """The whole report as JSON text; `about` holds tool, created, command, environment and gate."""
    document = {
        "schema_version": SCHEMA_VERSION,
        **about,
        "counts": ledger["counts"],
        "partial": bool(ledger["partial"]),
        "partial_reasons": ledger["partial"],
        "without_evidence": ledger["without_evidence"],
        "crashed_workers": ledger["crashed_workers"],
        "lost": ledger["lost"],
        "claims": ledger["entries"],
    }
    return json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
