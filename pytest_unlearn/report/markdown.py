"""Write the ledger as report.md, and as a section of GitHub's job summary.

The summary is a file that steps append to, of a limited size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_unlearn.core.numbers import number
from pytest_unlearn.report import wording
from pytest_unlearn.report.decision import Card, ClaimLine, card
from pytest_unlearn.report.ledger import reconcile
from pytest_unlearn.report.terminal import attacks, headline

ROWS = 200  # a pull request shows no more than 65,536 characters
DETAILED = 20


def render(ledger: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    """Write the report as Markdown, with what it may and may not be read as."""
    told = card(ledger, about)
    entries = [ledger["entries"][line.position] for line in told.claims]
    blocks = _card(told)
    blocks += [headline(ledger) + "."]
    blocks += _bullets("Why the gate blocks", told.reasons) + _bullets("To be known", told.notes)
    blocks += _bullets("Incomplete", [*(f"partial run: {text}" for text in ledger["partial"]), *reconcile(ledger)])
    if entries:
        blocks += ["## Claims", _table(told.claims[:ROWS], entries)]
    if len(entries) > ROWS:
        blocks += [f"{len(entries) - ROWS:,} more claims, none graver than these, are in index.html and report.json."]
    blocks += [_details(entry) for entry in (entries if len(entries) <= ROWS else entries[:DETAILED])]
    return "\n\n".join(blocks) + "\n"


def _card(told: Card) -> list[str]:
    """Write the decision card: decision, facts, a sentence a claim, what was not seen, and the scope of PASS."""
    facts = [f"* **{label}**: {escape(text)}" for label, text in told.facts]
    says = [f"* {line.verdict} **{line.name}**: {escape(line.says)}" for line in told.claims[:ROWS]]
    unseen = [f"* {escape(text)}" for text in told.unseen]
    return [
        f"# Unlearning audit: {told.word}",
        escape(told.because),
        "\n".join(facts),
        *(["\n".join(says)] if says else []),
        "**Not looked at**",
        "\n".join(unseen),
        f"**What PASS means.** {told.scope}",
    ]


def _bullets(title: str, texts: Sequence[str]) -> list[str]:
    return [f"## {title}", "\n".join(f"* {escape(text)}" for text in texts)] if texts else []


def _table(claims: Sequence[ClaimLine], entries: Sequence[Mapping[str, Any]]) -> str:
    rows = ["| verdict | claim | test | outcome | estimate vs claim | why |", "|---|---|---|---|---|---|"]
    for line, entry in zip(claims, entries, strict=False):
        cells = (line.verdict, line.name, line.nodeid, entry["outcome"], line.numbers, line.reason)
        rows.append("| " + " | ".join(escape(cell) for cell in cells) + " |")
    return "\n".join(rows)


def _details(entry: Mapping[str, Any]) -> str:
    evidence = entry["evidence"]
    estimate = evidence["estimate"]
    facts = [
        f"decided by {evidence['decided_by']} ({estimate['method']}, {wording.bounds_of(evidence)})",
        wording.sizes(estimate),
        *filter(None, [wording.other_bounds_of(evidence, "attacks and controls")]),
        *(f"{name}, {role}: {interval}" for name, role, interval in attacks(evidence)),
        *(f"control: {control['says']}" for control in wording.controls_of(evidence)),
        *(f"{name} from {source}" for name, source in sorted(evidence["claim"].get("sources", {}).items())),
        *evidence.get("reasons", ()),
        *evidence.get("advice", ()),
    ]
    named = any(row.get("named") for row in evidence.get("most_exposed", ()))
    exposed = [f"{wording.example(row)} ({number(row['percentile'])})" for row in evidence.get("most_exposed", ())]
    if exposed:
        facts.append(f"most exposed{'' if named else ', by index'}: " + ", ".join(exposed))
    title = f"### {escape(evidence['claim']['name'])}: {wording.word(evidence)} in {escape(entry['nodeid'])}"
    return "\n".join([title, "", escape(wording.sentence(entry)), "", *(f"* {escape(fact)}" for fact in facts)])


def escape(text: str) -> str:
    """Escape what would end a table cell, open an HTML tag or make a link."""
    plain = " ".join(str(text).splitlines()).replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
    return plain.replace("](", "]\\(").replace("![", "!\\[")  # neither a link nor a picture


LARGEST = 1024 * 1024  # GitHub refuses a step's whole summary when it is larger
NOTICE = "\n\n*Cut here: a job summary holds 1,024 KB. The whole text is in report.md.*\n"


def append(text: str, path: Path) -> None:
    """Append as much of the text as the summary has room for."""
    with path.open("a+b") as stream:
        before = stream.tell()
        stream.write(fitted(f"\n{text}" if before else text, LARGEST - before))


def fitted(text: str, room: int) -> bytes:
    """Encode text as UTF-8, cut at a line and marked as cut where it does not fit."""
    whole = text.encode()
    if len(whole) <= room:
        return whole
    left = room - len(NOTICE.encode())
    return b"" if left < 0 else whole[: whole.rfind(b"\n", 0, left) + 1].rstrip() + NOTICE.encode()
