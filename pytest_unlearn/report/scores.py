"""Store the scores of a report beside it, and seal both.

A seal is a digest without a key: it shows what was changed by accident or in one place, not what somebody changed and
sealed again. What that changes of a number, only computing it again shows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

FILE = "scores.json"
VERSION = 1
UNSEALED = ("claims", "scores")  # fields of a report that are sealed by claim, or name the seal itself


def sealed(document: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], str]:
    """Seal a report.

    Args:
        document: the report, without scores.
        entries: of the ledger, in the same order, with the scores that evidence stored.

    Returns:
        The report, naming the digests of what was stored, and the text of the file with the scores.
    """
    arrays: dict[str, Any] = {}
    rows, claims = [], []
    for entry, full in zip(document["claims"], entries, strict=True):
        stored = None if entry.get("brief") else full["evidence"].get("scores")
        record = None
        if stored is not None:
            arrays |= stored["arrays"]
            record = {name: part for name, part in stored.items() if name != "arrays"}
            entry = {**entry, "evidence": {**entry["evidence"], "scores": {"sha256": digest(record)}}}
        claims.append(entry)
        rows.append({"nodeid": entry["nodeid"], "sealed": seals_of(entry), "record": record})
    own = {name: digest(part) for name, part in document.items() if name not in UNSEALED}
    text = canonical({"schema_version": VERSION, "sealed": own, "claims": rows, "arrays": arrays}) + "\n"
    named = {"file": FILE, "sha256": hashlib.sha256(text.encode()).hexdigest()}
    return {**document, "scores": named, "claims": claims}, text


def seals_of(entry: Mapping[str, Any]) -> dict[str, str]:
    """Digest each field of a claim's entry, and of its evidence.

    Of thousands of claims most are kept in brief: these have one digest each.
    """
    if entry.get("brief"):
        return {"brief": digest(entry)}
    own = {name: digest(part) for name, part in entry.items() if name != "evidence"}
    return own | {f"evidence.{name}": digest(part) for name, part in entry["evidence"].items()}


def broken(document: Mapping[str, Any], stored: Mapping[str, Any]) -> Iterator[tuple[int | None, str]]:
    """Yield what was changed after it was sealed: a claim's position, and a field.

    The position is None for a field of the report itself.

    Args:
        document: the report.
        stored: what its scores file holds.

    Raises:
        ValueError: the file is of other claims, or damaged.
    """
    try:
        rows = stored["claims"]
        if stored["schema_version"] != VERSION or len(rows) != len(document["claims"]):
            raise ValueError(f"it holds {len(rows)} claims, and the report {len(document['claims'])}")
        of_report = {name: digest(part) for name, part in document.items() if name not in UNSEALED}
        pairs: list[tuple[int | None, dict[str, str], Any]] = [(None, of_report, stored["sealed"])]
        pairs += [(k, seals_of(document["claims"][k]), row["sealed"]) for k, row in enumerate(rows)]
        for position, found, expected in pairs:
            yield from ((position, name) for name in {**expected, **found} if found.get(name) != expected.get(name))
        for position, row in enumerate(rows):
            named = document["claims"][position]["evidence"].get("scores") or {}
            if (row["record"] is not None or named) and named.get("sha256") != digest(row["record"]):
                yield position, "the scores"
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"it is damaged ({type(error).__name__}: {error})") from None


def digest(value: Any) -> str:
    """Return the SHA-256 of plain data."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def canonical(value: Any) -> str:
    """Write plain data in the one way that its digest is taken of."""
    return json.dumps(value, allow_nan=False, sort_keys=True, separators=(",", ":"))
