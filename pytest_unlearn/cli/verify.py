"""Compute a stored report's intervals and verdicts again from its scores."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_unlearn.cli import stored_report, stored_scores
from pytest_unlearn.cli.console import BLOCKED, FINE, plural, say
from pytest_unlearn.core.claim_table import TABLE
from pytest_unlearn.report import gate, scores
from pytest_unlearn.report.json import ALL_IN_FULL, basis


@dataclass
class Verification:
    """What was computed again with the same result, what was not, and what differs."""

    agreeing: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def add(commands: Any) -> None:
    """Add `verify` to the command line."""
    command = commands.add_parser(
        "verify",
        help="compute a stored report's intervals and verdicts again from its scores",
        description="Compute every interval, control and verdict of a report.json again from the scores.json beside "
        "it, without any model or data, and name whatever differs by more than 1e-9. Whether the scores are those of "
        "the model is not shown by this, nor is what no score determines, such as names, times and digests of models "
        "and data: whoever edits it and makes all seals anew is not found. A signed attestation of the report says who "
        "vouches for them.",
        epilog="Exit status: 0 all agree; 1 something differs or cannot be computed again; 2 the report cannot be "
        "read.",
        allow_abbrev=False,
    )
    command.add_argument("report", type=Path, help="a report.json, as --unlearn-report writes it")
    command.add_argument(
        "--strict", action="store_true", help="count claims that store no scores as not agreeing (exit status 1)"
    )
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Verify, and say what was found."""
    found = verify(options.report)
    for claim in found.agreeing:
        say(f"agrees: {claim}")
    for claim in found.left_out:
        say(f"not recomputed: {claim}")
    for problem in found.wrong:
        say(f"differs: {problem}")
    say(
        f"{options.report}: {plural(len(found.agreeing), 'claim')} computed again with the same result, "
        f"{len(found.left_out)} not recomputed, {plural(len(found.wrong), 'difference')}"
    )
    return BLOCKED if found.wrong or (options.strict and found.left_out) else FINE


def verify(path: Path) -> Verification:
    """Compare a report with its scores.

    Raises:
        Unusable: the report cannot be read, or is none.
    """
    document, found = stored_report.read(path), Verification()
    found.wrong += [f"the report contradicts itself: {problem}" for problem in stored_report.contradictions(document)]
    entries = document["claims"]
    stored: Mapping[str, Any] = {}
    try:
        stored = stored_scores.read(document, path.parent)
        found.wrong += stored_scores.unsealed(document, stored)
    except ValueError as error:
        found.wrong.append(f"{scores.FILE}: {error}")
        stored = {}
    rows = stored.get("claims") or [{}] * len(entries)
    found.wrong += _unlike_the_ledger(document)
    for entry, row in zip(entries, rows, strict=True):
        name, record, evidence = stored_scores.named(entry), row.get("record"), entry["evidence"]
        brief = entry.get("brief") and len(entries) > ALL_IN_FULL
        if record is None and (not _stores_scores(evidence["claim"]["name"]) or brief):
            why = "of so many claims it is kept in brief" if brief else "this claim stores no scores"
            found.left_out.append(f"{name}: {why}")
            continue
        problems = list(_recomputed(evidence, record, stored))
        found.wrong += [f"{name}: {problem}" for problem in problems]
        found.agreeing += [] if problems else [name]
    return found


def _unlike_the_ledger(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the report says that follows from its claims, and is not what follows."""
    for entry in document["claims"]:
        provenance = entry["evidence"].get("provenance") or {}
        if not entry.get("brief") and entry.get("basis", "") != basis(provenance):
            yield f"{stored_scores.named(entry)}: its basis is not that of its data, request and recipe"
    asked = document["gate"]
    if asked is not None and asked["release"]:
        decision = gate.decide(stored_report.ledger(document), stored_report.required(document) or ())
        yield from (f"its gate released, and its claims block: {reason}" for reason in decision.reasons)


def _stores_scores(claim: str) -> bool:
    return claim in TABLE and TABLE[claim].stores_scores


def _recomputed(evidence: Mapping[str, Any], record: Any, stored: Mapping[str, Any]) -> Iterator[str]:
    """Yield where evidence is not what its scores say."""
    from pytest_unlearn.claims import recompute

    try:
        if not isinstance(record, Mapping):
            raise ValueError("it has no scores (store_scores was off, or they were taken away)")
        again = recompute.recompute(record, stored["arrays"])
    except ValueError as error:
        yield f"cannot be recomputed: {error}"
        return
    for name, value, computed in recompute.differences(evidence, again):
        yield f"{name} is {_brief(value)} in the report, and {_brief(computed)} by the scores"


def _brief(value: Any) -> str:
    return repr(value)[:200]
