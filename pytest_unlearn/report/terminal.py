"""Lay the ledger out in terminal lines: counts, then one line a claim.

Below a search for failing requests: what was tried, the worst of it, and how to see it again.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pytest_unlearn.report.ledger import WORDS, reconcile
from pytest_unlearn.report.wording import NOT_TESTABLE, counts, interval, word

COLOURS = {"PASS": "green", "FAIL": "red", "INCONCLUSIVE": "yellow", "INVALID": "red", NOT_TESTABLE: "yellow"}
VERDICT_WIDTH = len("INCONCLUSIVE")


def lines(ledger: Mapping[str, Any], width: int) -> list[tuple[str, str]]:
    """Lay the ledger out in lines, each with its colour ("" for none).

    None is longer than `width`, but for one that is to be copied.
    """
    result = [(line, "") for line in fold(headline(ledger), width)] + _claims(ledger["entries"], width)
    for colour, texts in (("yellow", [f"partial run: {reason}" for reason in ledger["partial"]]),
                          ("red", reconcile(ledger))):  # fmt: skip
        result += [(line, colour) for text in texts for line in fold(text, width)]
    return result


def _claims(entries: list[Mapping[str, Any]], width: int) -> list[tuple[str, str]]:
    """Write a line for each claim; where that is too wide, more for the numbers."""
    names = max((len(_name(entry["nodeid"])) for entry in entries), default=0)
    full, short = ([observed(entry, brief) for entry in entries] for brief in (False, True))
    stacked = full if VERDICT_WIDTH + 2 + max(map(len, full), default=0) <= width else short
    texts = next((texts for texts in (full, short) if _room(names, texts) <= width), stacked)
    result = []
    for entry, text in zip(entries, texts, strict=True):
        verdict, name = word(entry["evidence"]), _name(entry["nodeid"])
        if _room(names, texts) <= width:
            rows = [f"{verdict:<{VERDICT_WIDTH}}  {name:<{names}}  {text}"]
        else:
            rows = [cut(f"{verdict:<{VERDICT_WIDTH}}  {name}", width), *fold(text, width, VERDICT_WIDTH + 2)]
        result += [(row, COLOURS[verdict]) for row in rows]
        for line, breaks in search_lines(entry):
            result += [(row, "") for row in (fold(line, width, VERDICT_WIDTH + 2) if breaks else [f"  {line}"])]
    return result


def search_lines(entry: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """Yield the lines below a search, each with whether it may be broken."""
    evidence = entry["evidence"]
    if not counts(evidence["estimate"]):
        return
    reasons = evidence.get("reasons", ())
    tables = {figure["title"]: figure["rows"] for figure in evidence.get("exhibits", ()) if figure["kind"] == "table"}
    yield from ((reason, True) for reason in reasons[:1])
    if families := tables.get("Requests by family"):
        tried = ", ".join(
            f"{family} {count}" + (f" ({bad} suspicious)" if bad else "") for family, count, _, bad in families
        )
        yield f"by family: {tried}", True
    for stage, request, examples, value, low, high in tables.get("The worst request", ()):
        seen = "" if value is None else f" {value:.3f} [{low:.3f}, {high:.3f}]"
        yield f"{stage}:{seen} on {examples} examples, {request}", True
    yield from ((reason, False) for reason in reasons if reason.startswith("replay: "))


def _room(names: int, texts: list[str]) -> int:
    """Count the width of a line with verdict, name and text."""
    return VERDICT_WIDTH + names + 4 + max(map(len, texts), default=0)


def headline(ledger: Mapping[str, Any]) -> str:
    """Say in one line what was planned, what ran and what came of it."""
    numbers = ledger["counts"]
    verdicts = ", ".join(f"{numbers[word]} {word}" for word in WORDS.values())
    if numbers.get("not_testable"):
        verdicts += f", {numbers['not_testable']} not testable here"
    planned = numbers["planned"]
    return f"{planned} claim{'' if planned == 1 else 's'} planned, {numbers['claims']} ran: {verdicts}"


def observed(entry: Mapping[str, Any], brief: bool = False) -> str:
    """Put an estimate beside its claim; `brief` leaves the quantity's name out."""
    evidence = entry["evidence"]
    label = f" ({evidence['label']})" if evidence.get("label") else ""
    times = f" (worst of {entry['count']})" if entry["count"] > 1 else ""
    text = evidence["claim"]["text"]
    if brief:
        text = text.removeprefix(evidence["claim"]["quantity"]).strip()
    return f"{interval(evidence['estimate'])} vs {text}{label}{times}"


def section(entries: Iterable[Mapping[str, Any]]) -> str:
    """Write what each audit of a failing test saw, attack by attack."""
    paragraphs = []
    for entry in entries:
        evidence = entry["evidence"]
        rows = [f"{evidence['claim']['name']}: {word(evidence)}  {observed(entry)}"]
        rows += [f"  {name:<26} {seen}  {role}" for name, role, seen in attacks(evidence)]
        rows += [f"  {reason}" for reason in evidence.get("reasons", ())]
        paragraphs.append("\n".join(rows))
    return "\n\n".join(paragraphs)


def attacks(evidence: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """List each attack: its name, whether PASS depends on it, its estimate."""
    return [
        (name, "deciding" if name in evidence["deciding"] else "tripwire", interval(estimate))
        for name, estimate in evidence["attacks"].items()
    ]


def fold(text: str, width: int, indent: int = 0) -> list[str]:
    """Fold text into lines of at most `width`, set in from the second or by `indent`."""
    margin = " " * indent
    return textwrap.wrap(text, max(width, indent + 20), initial_indent=margin, subsequent_indent=margin or "  ")


def cut(text: str, width: int) -> str:
    """Shorten text to `width` with three dots."""
    return text if len(text) <= width else text[: max(0, width - 3)] + "..."


def _name(nodeid: str) -> str:
    return nodeid.split("::", 1)[-1]
