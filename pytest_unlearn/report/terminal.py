"""The ledger as terminal lines: counts first, then one line a claim."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pytest_unlearn.report.ledger import reconcile

COLOURS = {"PASS": "green", "FAIL": "red", "INCONCLUSIVE": "yellow", "INVALID": "red"}
VERDICT_WIDTH = len("INCONCLUSIVE")


def lines(ledger: Mapping[str, Any], width: int) -> list[tuple[str, str]]:
    """Lines no longer than `width`, each with the colour it is printed in ("" for none)."""
    rows = [(entry["evidence"]["verdict"], _name(entry["nodeid"]), observed(entry)) for entry in ledger["entries"]]
    column = max((len(name) for _, name, _ in rows), default=0)
    # A long test name gives way first: the numbers are what the line is for.
    column = min(column, max(20, width - VERDICT_WIDTH - 4 - max((len(text) for *_, text in rows), default=0)))
    result = [(cut(line, width), "") for line in [headline(ledger["counts"])]]
    for verdict, name, text in rows:
        line = f"{verdict:<{VERDICT_WIDTH}}  {cut(name, column):<{column}}  {text}"
        result.append((cut(line, width), COLOURS[verdict]))
    result += [(cut(f"partial run: {reason}", width), "yellow") for reason in ledger["partial"]]
    result += [(cut(problem, width), "red") for problem in reconcile(ledger)]
    return result


def headline(counts: Mapping[str, int]) -> str:
    """The counts in one line."""
    verdicts = ", ".join(f"{number} {word}" for word, number in counts.items() if word != "claims")
    return f"{counts['claims']} claim{'' if counts['claims'] == 1 else 's'}: {verdicts}"


def observed(entry: Mapping[str, Any]) -> str:
    """One claim's estimate and interval against what was claimed."""
    evidence = entry["evidence"]
    estimate = evidence["estimate"]
    interval = f"{number(estimate['value'])} [{number(estimate['low'])}, {number(estimate['high'])}]"
    label = f" {evidence['label']}" if evidence.get("label") else ""
    times = f" (worst of {entry['count']})" if entry["count"] > 1 else ""
    return f"{interval} vs {evidence['claim']['text']}{label}{times}"


def section(entries: Iterable[Mapping[str, Any]]) -> str:
    """The text that goes with a failing test: what each of its audits saw, attack by attack."""
    paragraphs = []
    for entry in entries:
        evidence = entry["evidence"]
        rows = [f"{evidence['claim']['name']}: {evidence['verdict']}  {observed(entry)}"]
        for name, estimate in evidence.get("attacks", {}).items():
            role = "deciding" if name in evidence.get("deciding", ()) else "tripwire"
            value, low, high = (number(estimate[key]) for key in ("value", "low", "high"))
            rows.append(f"  {name:<24} {value} [{low}, {high}]  {role}")
        rows += [f"  {reason}" for reason in evidence.get("reasons", ())]
        paragraphs.append("\n".join(rows))
    return "\n\n".join(paragraphs)


def number(value: float | None) -> str:
    """Three decimals; a value that is not finite is stored as None."""
    return "n/a" if value is None else f"{value:.3f}"


def cut(text: str, width: int) -> str:
    """The text, shortened to `width` with three dots."""
    return text if len(text) <= width else text[: max(0, width - 3)] + "..."


def _name(nodeid: str) -> str:
    return nodeid.split("::", 1)[-1]
