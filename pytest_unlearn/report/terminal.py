"""Lay the ledger out in terminal lines: counts, then one line a claim.

Below a search for failing requests: what was tried, the worst of it, and how to see it again.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pytest_unlearn.core.numbers import counts, interval
from pytest_unlearn.report.decision import DO_NOT, RELEASE, Card, ClaimLine, card
from pytest_unlearn.report.ledger import WORDS, reconcile
from pytest_unlearn.report.wording import NOT_TESTABLE, bounds_of, observed, other_bounds_of, word

COLOURS = {"PASS": "green", "FAIL": "red", "INCONCLUSIVE": "yellow", "INVALID": "red", NOT_TESTABLE: "yellow"}
DECIDED = {RELEASE: "green", DO_NOT: "red"}
VERDICT_WIDTH = len("INCONCLUSIVE")
LABEL_WIDTH = len("made from")
ALL_TOLD = 12  # as many claims are always told in words; of more, those that are not proven

Line = tuple[str, str]


def lines(ledger: Mapping[str, Any], width: int, about: Mapping[str, Any]) -> list[Line]:
    """Lay card and claims out in lines, each with its colour ("" for none).

    None is longer than `width`, but for one that is to be copied.
    """
    told = card(ledger, about)
    result = [*_card(told, width), *((line, "") for line in fold(headline(ledger), width))]
    result += _claims(told, ledger["entries"], width)
    for colour, texts in (("yellow", [f"partial run: {reason}" for reason in ledger["partial"]]),
                          ("red", reconcile(ledger))):  # fmt: skip
        result += [(line, colour) for text in texts for line in fold(text, width)]
    return result


def _card(told: Card, width: int) -> list[Line]:
    """Write the decision, and below it what it rests on."""
    result = [(line, DECIDED.get(told.word, "yellow")) for line in fold(f"{told.word}: {told.because}", width)]
    for label, text in (*told.facts, ("not seen", "; ".join(told.unseen)), ("scope", told.scope)):
        first, *rest = fold(text, width - LABEL_WIDTH - 2) or [""]
        result += [(f"{label:<{LABEL_WIDTH}}  {first}", ""), *((" " * LABEL_WIDTH + line, "") for line in rest)]
    return result


def _claims(told: Card, entries: list[Mapping[str, Any]], width: int) -> list[Line]:
    """Write a line of numbers for each claim, and below it what they mean in words."""
    names = max((len(line.name) for line in told.claims), default=0)
    result: list[Line] = []
    for line in told.claims:
        entry = entries[line.position]
        result += [(row, COLOURS[line.verdict]) for row in _numbers(line, entry, names, width)]
        says = f"{_name(line.nodeid)}: {line.says}" if len(told.claims) <= ALL_TOLD or line.verdict != "PASS" else ""
        result += [(row, "") for row in fold(says or _name(line.nodeid), width, VERDICT_WIDTH + 2)]
        for text, breaks in search_lines(entry):
            result += [(row, "") for row in (fold(text, width, VERDICT_WIDTH + 2) if breaks else [f"  {text}"])]
    return result


def _numbers(line: ClaimLine, entry: Mapping[str, Any], names: int, width: int) -> list[str]:
    """Write verdict, claim and numbers in a row, or in two where that is too wide."""
    head = f"{line.verdict:<{VERDICT_WIDTH}}  {line.name:<{names}}"
    for text in (line.numbers, observed(entry, brief=True)):
        if len(head) + 2 + len(text) <= width:
            return [f"{head}  {text}"]
    return [cut(head.rstrip(), width), *fold(line.numbers, width, VERDICT_WIDTH + 2)]


def search_lines(entry: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """Yield the lines below a search, each with whether it may be broken."""
    evidence = entry["evidence"]
    if not counts(evidence["estimate"]):
        return
    reasons = evidence.get("reasons", ())
    yield from ((reason, True) for reason in reasons[:1])
    tables = {figure["title"]: figure["rows"] for figure in evidence.get("exhibits", ()) if figure["kind"] == "table"}
    if families := tables.get("Requests by family"):
        tried = ", ".join(
            f"{family} {count}" + (f" ({bad} suspicious)" if bad else "") for family, count, _, bad in families
        )
        yield f"by family: {tried}", True
    for stage, request, examples, value, low, high in tables.get("The worst request", ()):
        seen = "" if value is None else f" {value:.3f} [{low:.3f}, {high:.3f}]"
        yield f"{stage}:{seen} on {examples} examples, {request}", True
    yield from ((reason, False) for reason in reasons if reason.startswith("replay: "))


def headline(ledger: Mapping[str, Any]) -> str:
    """Say in one line what was planned, what ran and what came of it."""
    numbers = ledger["counts"]
    verdicts = ", ".join(f"{numbers[word]} {word}" for word in WORDS.values())
    if numbers.get("not_testable"):
        verdicts += f", {numbers['not_testable']} not testable here"
    planned = numbers["planned"]
    return f"{planned} claim{'' if planned == 1 else 's'} planned, {numbers['claims']} ran: {verdicts}"


def section(entries: Iterable[Mapping[str, Any]]) -> str:
    """Write what each audit of a failing test saw, attack by attack."""
    paragraphs = []
    for entry in entries:
        evidence = entry["evidence"]
        rows = [f"{evidence['claim']['name']}: {word(evidence)}  {observed(entry)}"]
        bounds = bounds_apart(evidence)
        rows += [f"  {bounds}"] if bounds else []
        rows += [f"  {name:<26} {seen}  {role}" for name, role, seen in attacks(evidence)]
        rows += [f"  {reason}" for reason in evidence.get("reasons", ())]
        paragraphs.append("\n".join(rows))
    return "\n\n".join(paragraphs)


def bounds_apart(evidence: Mapping[str, Any]) -> str:
    """Say that the attacks' bounds below are others than those above."""
    other = other_bounds_of(evidence, "below, each attack")
    return f"above: {bounds_of(evidence)}; {other}" if other else ""


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
