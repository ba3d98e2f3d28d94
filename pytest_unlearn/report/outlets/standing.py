"""Where each claim stands, for every format that knows no more than passed or not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pytest_unlearn.report import candidate, wording
from pytest_unlearn.report.gate import unproven
from pytest_unlearn.report.ledger import reconcile

Standing = Literal["proven", "not testable", "undecided", "refuted", "unreadable"]
Entry = Mapping[str, Any]

MOST = 200  # claims whose numbers are listed; of more, the gravest
BY_VERDICT: Mapping[str, Standing] = {"INVALID": "unreadable", "INCONCLUSIVE": "undecided"}


@dataclass(frozen=True)
class RunProblem:
    """What is wrong with a whole run: a short name, and a sentence a problem."""

    name: str
    sentences: tuple[str, ...]


def standing(entry: Entry) -> Standing:
    """Tell where a claim stands; a PASS that nothing bears out is refuted."""
    if wording.is_proven(entry):
        return "proven"
    if wording.is_accepted(entry):
        return "not testable"
    return BY_VERDICT.get(entry["evidence"]["verdict"], "refuted")


def why(entry: Entry) -> str:
    """Say why a claim is not proven: its first reason; empty if it is."""
    evidence = entry["evidence"]
    if wording.is_proven(entry):
        return ""
    if evidence["verdict"] == "PASS":
        doubt = next(unproven(evidence), "")
        return doubt or f"the test itself ended as {entry['outcome']}"
    return str(evidence.get("not_testable") or next(iter(evidence.get("reasons", ())), ""))


def objections(ledger: Mapping[str, Any], about: Mapping[str, Any]) -> Iterator[RunProblem]:
    """Yield what keeps a run as a whole from being passed, whatever its claims say."""
    missing = [f"partial run: {text}" for text in ledger["partial"]] + reconcile(ledger)
    if not ledger["entries"]:
        missing.append("nothing was audited")
    if missing:
        yield RunProblem("completeness", tuple(missing))
    held = (about.get("history") or {}).get("reasons", ())
    gate = about.get("gate")
    if held:
        yield RunProblem("earlier runs", tuple(held))
    if gate is not None and not gate["release"]:
        yield RunProblem("release gate", tuple(gate["reasons"]))


def keys(entries: Sequence[Entry]) -> list[str]:
    """Name each claim uniquely: by itself and, where there are several, by its test."""
    names = Counter(entry["evidence"]["claim"]["name"] for entry in entries)
    seen: Counter[str] = Counter()
    found = []
    for entry in entries:
        name = entry["evidence"]["claim"]["name"]
        key = name if names[name] == 1 else f"{name}[{entry['nodeid']}]"
        seen[key] += 1
        found.append(key if seen[key] == 1 else f"{key}#{seen[key]}")
    return found


def named(entries: Sequence[Entry]) -> list[tuple[str, Entry]]:
    """List claims with their keys, in order: of very many the gravest alone."""
    rows = list(zip(keys(entries), entries, strict=True))
    kept = range(len(rows)) if len(rows) <= MOST else sorted(wording.most_severe_first(entries)[:MOST])
    return [rows[position] for position in kept]


def models(entries: Sequence[Entry]) -> list[str]:
    """List the digests of the models that claims are about, each once."""
    digests = (candidate.subject(entry["evidence"])[0] for entry in candidate.about_candidate(entries))
    return list(dict.fromkeys(filter(None, digests)))
