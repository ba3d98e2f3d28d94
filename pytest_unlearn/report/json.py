"""Write the ledger as report.json, by schema/report-v1.json.

Within version 1 fields are only added.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pytest_unlearn.report.wording import most_severe_first

SCHEMA_VERSION = 1
ALL_IN_FULL = 200  # as many claims always keep their whole evidence
MOST_SEVERE = 20  # of more, as many do; the others keep what a gate and a comparison need
BRIEF = ("claim", "verdict", "estimate", "decided_by", "label")
DIGITS = 6


def render(ledger: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    """Write the whole report as JSON text, without any scores.

    Args:
        ledger: what ran, from `Ledger.freeze`.
        about: tool, created, command, environment and gate.
    """
    return text_of(document(ledger, about))


def text_of(report: Mapping[str, Any]) -> str:
    """Write a document as text, in one line if some of its claims are brief."""
    brief = any(entry.get("brief") for entry in report["claims"])
    spacing: dict[str, Any] = {"separators": (",", ":")} if brief else {"indent": 2}
    return json.dumps(report, allow_nan=False, ensure_ascii=False, **spacing) + "\n"


def document(ledger: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, Any]:
    """Return the report as plain data."""
    entries = ledger["entries"]
    order = most_severe_first(entries)
    full = set(order if len(order) <= ALL_IN_FULL else order[:MOST_SEVERE])
    return {
        "schema_version": SCHEMA_VERSION,
        **about,
        "counts": ledger["counts"],
        "partial": bool(ledger["partial"]),
        "partial_reasons": ledger["partial"],
        "without_evidence": ledger["without_evidence"],
        "failed_tests": ledger.get("failed_tests", []),
        "crashed_workers": ledger["crashed_workers"],
        "lost": ledger["lost"],
        "claims": [_entry(entry, position in full) for position, entry in enumerate(entries)],
    }


def _entry(entry: Mapping[str, Any], in_full: bool) -> dict[str, Any]:
    evidence = {name: part for name, part in entry["evidence"].items() if name != "scores"}
    compared = basis(evidence["provenance"])
    if in_full:
        # Pictures of what was to be deleted belong to the page that was asked to show them, and nowhere else.
        exposed = [{name: row[name] for name in row if name != "pixels"} for row in evidence["most_exposed"]]
        return {**entry, "basis": compared, "evidence": {**evidence, "most_exposed": exposed}}
    kept = {name: evidence[name] for name in BRIEF}
    kept |= {name: evidence[name] for name in ("not_testable", "required") if evidence.get("not_testable")}
    kept["estimate"] = {n: round(v, DIGITS) if isinstance(v, float) else v for n, v in evidence["estimate"].items()}
    kept["provenance"] = _which_model(evidence["provenance"])
    if mapping(evidence["provenance"].get("settings")).get("require_controls") is False:
        kept["provenance"].setdefault("settings", {})["require_controls"] = False  # a reader must see what was waived
    return {**entry, "basis": compared, "brief": True, "evidence": kept}


def _which_model(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what names the audited model, without which a claim proves nothing."""
    model, settings = mapping(provenance.get("model")), mapping(provenance.get("settings"))
    made = {name: provenance[name] for name in ("method", "made by", "request") if provenance.get(name)}
    if model.get("digest"):
        return {"model": {"digest": model["digest"]}, **made}
    kept: dict[str, Any] = {
        "model": {name: model[name] for name in ("digest", "not identified", "answers") if name in model}
    }
    if settings.get("outputs") and "answers" not in model:
        data = {name: {"digest": mapping(part).get("digest")} for name, part in mapping(provenance.get("data")).items()}
        kept |= {"settings": {"outputs": settings["outputs"]}, "data": data}
    return {**kept, **made}


def basis(provenance: Mapping[str, Any]) -> str:
    """Digest what two reports must share to be compared: data, request and recipe."""
    task, views = (mapping(provenance.get(name)) for name in ("task", "data"))
    data = {name: mapping(part).get("digest") for name, part in sorted(views.items())}
    if not data or None in data.values():
        return ""
    keys = [mapping(row).get("key") for row in task.get("references") or ()]
    facts = [data, task.get("split"), task.get("recipe"), keys]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def mapping(value: Any) -> Mapping[str, Any]:
    """Return a value that is a mapping, and an empty one for any other."""
    return value if isinstance(value, Mapping) else {}
