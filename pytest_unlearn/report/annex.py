"""List what was attacked and what was not: the annex that an assessment asks for.

The classes are those that supervisors name for models trained on personal data (membership and attribute inference,
extraction, inversion, reconstruction). A table of what ran can only speak for what ran, so that what did not stands
in it as well; a filter is told from forgetting only by attacks that look behind the answers; and no test of a model
says anything of copies elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pytest_unlearn.core.claim_table import TABLE
from pytest_unlearn.core.identity import DECLARED
from pytest_unlearn.report import wording
from pytest_unlearn.report.json import mapping
from pytest_unlearn.report.markdown import escape

FILE = "annex.md"
MOST_NAMED = 3
NOT_RUN, NOT_LOOKED_AT = "no", "not looked at"
NOT_COVERED = "not covered: no audit of a model shows whether they are gone"
SCOPE = (
    "This is evidence about the attacks that ran, under the stated access and limits, and no statement of law. A class "
    "of attacks that did not run may succeed."
)
NOT_DECLARED = "not declared"
DECLARATION = (
    "The releasing party says this, in settings or variables (unlearn_access, unlearn_filters, ...). The audit "
    "did not look at any of it."
)
PURGE = "until `python -m pytest_unlearn cache purge`"


@dataclass(frozen=True)
class AttackClass:
    """A kind of attack, and what an attacker needs for it.

    It is run by claims, or is one of the attacks within them.
    """

    name: str
    claims: tuple[str, ...] = ()
    attacks: tuple[str, ...] = ()
    access: str = ""


@dataclass(frozen=True)
class AnnexRow:
    """A row of the table."""

    attack_class: str
    ran: str
    access: str
    result: str


BOTH_MODELS = AttackClass(
    "comparing the model before and after deletion",
    attacks=("update leakage", "learned update leakage"),
    access="answers of the original and of the released model",
)
NEVER_RUN = (
    AttackClass("attribute inference", access="answers; part of each example"),
    AttackClass("extraction and regurgitation of training data", access="answers to prompts"),
    AttackClass("model inversion and reconstruction of examples", access="answers or weights"),
    AttackClass("exfiltration of the model or of the training data", access="the systems around the model"),
)


def classes() -> list[AttackClass]:
    """List the kinds of attacks: the claim table's, and those that no claim runs."""
    found: dict[str, AttackClass] = {}
    for name, spec in TABLE.items():
        if spec.attack_class:
            known = found.get(spec.attack_class, AttackClass(spec.attack_class, access=spec.access))
            found[spec.attack_class] = replace(known, claims=(*known.claims, name))
    return [*found.values(), BOTH_MODELS, *(one for one in NEVER_RUN if one.name not in found)]


def rows(ledger: Mapping[str, Any]) -> list[AnnexRow]:
    """List the classes of attacks, those that did not run included."""
    entries = ledger["entries"]
    others = dict.fromkeys(entry["evidence"]["claim"]["name"] for entry in entries)
    unknown = [AttackClass(claim, (claim,), access="as the claim says") for claim in others if claim not in TABLE]
    return [_row(one, entries) for one in (*classes(), *unknown)]


def filters(ledger: Mapping[str, Any]) -> str:
    """Say whether a filter in front of the model would have been told from forgetting."""
    behind = [name for name, spec in TABLE.items() if spec.behind_answers]
    found = [entry for entry in ledger["entries"] if entry["evidence"]["claim"]["name"] in behind]
    proven = list(dict.fromkeys(e["evidence"]["claim"]["name"] for e in found if wording.is_proven(e)))
    refuted = list(dict.fromkeys(e["evidence"]["claim"]["name"] for e in found if e["evidence"]["verdict"] == "FAIL"))
    if refuted:
        return f"What the answers may hide is still in the model: {', '.join(refuted)} is FAIL."
    if proven:
        return f"A filter was told from forgetting by what looks behind the answers: {', '.join(proven)} is PASS."
    return (
        "A filter was not told from forgetting: nothing that looks behind the answers was proven "
        f"({', '.join(behind)}), and a filter that hides them would look the same."
    )


def copies(ledger: Mapping[str, Any]) -> list[tuple[str, str]]:
    """List what else may hold the data, or models that saw them."""
    origins = [mapping(mapping(entry["evidence"].get("provenance")).get("origins")) for entry in ledger["entries"]]
    originals = sorted({str(one["original"]) for one in origins if one.get("original")})
    references = max((len(one.get("references") or ()) for one in origins), default=0)
    made = f" ({', '.join(originals)})" if originals else ""
    return [
        ("the original model, which saw the data", f"needed as a control{made}; in the cache {PURGE}"),
        ("retrained reference models", f"{references} in this run; they never saw the data; in the cache {PURGE}"),
        ("the cache of trained models, `.unlearn/cache`", f"holds models that saw the data {PURGE}"),
        ("checkpoints, exports and deployed copies of the original", NOT_COVERED),
        ("backups", NOT_COVERED),
        ("the training data, and features, embeddings and models that were derived from them", NOT_COVERED),
        ("logs and caches of the model's answers", NOT_COVERED),
    ]


def declared(about: Mapping[str, Any]) -> list[tuple[str, str]]:
    """List what the releasing party declares, as its words and never as found."""
    said = mapping(about.get("declared"))
    return [(what, f"declared: {said[name]}" if said.get(name) else NOT_DECLARED) for name, what in DECLARED.items()]


def shown(ledger: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, Any]:
    """Gather the annex for the page, as plain values."""
    found = rows(ledger)
    return {
        "scope": SCOPE,
        "rows": [(row.attack_class, row.ran, row.access, row.result) for row in found],
        "ran": sum(row.ran != NOT_RUN for row in found),
        "filters": filters(ledger),
        "declaration": DECLARATION,
        "declared": declared(about),
        "copies": [(what.replace("`", ""), known.replace("`", "")) for what, known in copies(ledger)],
    }


def render(ledger: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    """Write the annex as Markdown."""
    table = ["| attack class | ran | access | result |", "|---|---|---|---|"]
    table += ["| " + " | ".join(map(escape, (r.attack_class, r.ran, r.access, r.result))) + " |" for r in rows(ledger)]
    kept = ["| what is retained | what is known of it |", "|---|---|"]
    kept += [f"| {escape(what)} | {escape(known)} |" for what, known in copies(ledger)]
    tool = about["tool"]
    blocks = ["# Annex: what was attacked, and what was not", SCOPE, "\n".join(table), "## Filters and forgetting"]
    said = ["| of the release | declared |", "|---|---|"]
    said += [f"| {escape(what)} | {escape(words)} |" for what, words in declared(about)]
    blocks += [escape(filters(ledger)), "## Retained copies", "\n".join(kept)]
    blocks += ["## What is declared of the release", DECLARATION, "\n".join(said)]
    return "\n\n".join([*blocks, f"{tool['name']} {tool['version']}, {about['created']}."]) + "\n"


def _row(one: AttackClass, entries: list[Mapping[str, Any]]) -> AnnexRow:
    found = list(_results(one, entries))
    if not found:
        return AnnexRow(one.name, NOT_RUN, one.access, NOT_LOOKED_AT)
    attacks = list(dict.fromkeys(name for names, _ in found for name in names))
    more = f" and {len(attacks) - MOST_NAMED} more" if len(attacks) > MOST_NAMED else ""
    named = f"yes: {', '.join(attacks[:MOST_NAMED])}{more}" if attacks else "yes"
    results = list(dict.fromkeys(result for _, result in found))
    besides = f"; and {len(results) - MOST_NAMED} more" if len(results) > MOST_NAMED else ""
    return AnnexRow(one.name, named, one.access, "; ".join(results[:MOST_NAMED]) + besides)


def _results(one: AttackClass, entries: list[Mapping[str, Any]]) -> Iterator[tuple[list[str], str]]:
    """Yield the attacks of a class that ran, gravest claims first, with what came of them."""
    for position in wording.most_severe_first(entries):
        entry = entries[position]
        evidence = entry["evidence"]
        name, attacks = evidence["claim"]["name"], evidence.get("attacks") or {}
        if name in one.claims:
            but = "" if wording.is_accepted(entry) or evidence["verdict"] != "PASS" else ", not proven"
            measured = f"{wording.interval(wording.decisive(evidence))}, {wording.allowed(evidence['claim'])} allowed"
            yield list(attacks), f"{name} {wording.word(evidence)}{but}: {measured}"
        for attack in one.attacks:
            if attack in attacks:
                yield [attack], f"{attack} {wording.interval(attacks[attack])}"
