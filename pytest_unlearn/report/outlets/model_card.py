"""Write the section of a Hugging Face model card, and its metadata.

It says what was judged, of which file, when, and how far that goes. A card outlives the model that it was written for,
so that the section names the digests that it is about. The YAML above it is for the Hub (`model-index`); its values are
JSON, which is YAML.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from pytest_unlearn.report import wording
from pytest_unlearn.report.decision import decision_of
from pytest_unlearn.report.json import mapping
from pytest_unlearn.report.markdown import escape
from pytest_unlearn.report.outlets.standing import MOST, models, named, objections, standing, why

FILE = "model-card.md"
BEGIN, END = "<!-- unlearning-audit: begin -->", "<!-- unlearning-audit: end -->"
SECTION = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
TAG = "machine-unlearning"
SAYS = {
    "RELEASE": "The release gate released: every required claim was proven",
    "DO NOT RELEASE": "The release gate blocked this model",
    "NOT DECIDED": "No release gate decided on this model",
}


def render(ledger: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    """Write the whole file: metadata, and the section between two markers."""
    lines = [f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in metadata(ledger, about).items()]
    return "\n".join(["---", *lines, "---", "", section(ledger, about), ""])


def metadata(ledger: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the Hub reads: a tag, and each estimate with its claim and verdict."""
    found: dict[str, Any] = {"tags": [TAG]}
    results = []
    for key, entry in named(ledger["entries"]):
        evidence = entry["evidence"]
        value = evidence["estimate"]["value"]
        if value is not None:
            claim = evidence["claim"]
            words = f"{claim['quantity']} ({key}: {_word(entry)}; {wording.allowed(claim)} allowed)"
            results.append(
                {
                    "task": {"type": "machine-unlearning-audit", "name": "machine unlearning audit"},
                    "dataset": {"type": "private", "name": _request(evidence)},
                    "metrics": [{"type": claim["name"], "value": round(value, 6), "name": words}],
                }
            )
    if results:
        found["model-index"] = [{"name": _name(ledger, about), "results": results}]
    return found


def section(ledger: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    """Write the section, which `put` replaces as a whole."""
    decision = decision_of(about.get("gate"))
    subjects = [f"* file `{escape(row['name'])}`, SHA-256 `{row['sha256']}`" for row in about.get("release_files", ())]
    subjects += [f"* audited model, digest `{digest}`" for digest in models(ledger["entries"])]
    table = ["| claim | verdict | estimate and bounds | allowed |", "|---|---|---|---|"]
    for key, entry in named(ledger["entries"]):
        evidence = entry["evidence"]
        reason = f" ({why(entry)})" if standing(entry) != "proven" and why(entry) else ""
        cells = (
            key,
            _word(entry) + reason,
            wording.interval(wording.decisive(evidence)),
            wording.allowed(evidence["claim"]),
        )
        table.append("| " + " | ".join(map(escape, cells)) + " |")
    if len(ledger["entries"]) > MOST:
        table.append(f"\n{len(ledger['entries']) - MOST:,} more claims, none graver than these.")
    held = [escape(sentence) for one in objections(ledger, about) for sentence in one.sentences]
    held += [escape(sentence) for sentence in (about.get("history") or {}).get("warnings", ())]
    tool = about["tool"]
    blocks = [
        "## Unlearning audit",
        f"**{decision}.** {SAYS[decision]}. Judged on {about['created'][:10]} by {tool['name']} {tool['version']}.",
        "\n".join(["This section is about nothing but:", "", *(subjects or ["* a model that names no digest"])]),
        *(["\n".join(f"* {sentence}" for sentence in held)] if held else []),
        *(["\n".join(table)] if ledger["entries"] else []),
        f"**What this says.** {wording.THREAT_MODEL}",
    ]
    return "\n\n".join([BEGIN, *blocks, END])


def put(card: str, new: str) -> str:
    """Put a section into a card: in the place of the one before, or at its end."""
    if SECTION.search(card):
        return SECTION.sub(lambda _: new, card, count=1)
    return f"{card.rstrip()}\n\n{new}\n" if card.strip() else f"{new}\n"


def _word(entry: Mapping[str, Any]) -> str:
    """Return the verdict; a PASS that is not borne out is called so."""
    word = wording.word(entry["evidence"])
    return f"{word}, not proven" if word == "PASS" and not wording.is_proven(entry) else word


def _request(evidence: Mapping[str, Any]) -> str:
    request = mapping(mapping(evidence.get("provenance")).get("request"))
    return f"deletion request {str(request.get('digest') or 'without a digest')[:12]}"


def _name(ledger: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    files = [row["name"] for row in about.get("release_files", ())]
    named = files or [digest[:12] for digest in models(ledger["entries"])]
    return str(named[0]) if named else "model"
