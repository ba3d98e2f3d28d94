"""Compute a stored report's intervals and verdicts again from its scores."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_unlearn.cli import stored_report
from pytest_unlearn.cli.console import BLOCKED, FINE, Unusable, plural, say
from pytest_unlearn.core.claim_table import TABLE
from pytest_unlearn.report import scores


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
        "the model is not shown by this; a signed attestation of the report says who vouches for them.",
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
    names = [f"{entry['evidence']['claim']['name']} in {entry['nodeid']}" for entry in entries]
    stored: Mapping[str, Any] = {}
    try:
        stored = _stored(document, path.parent)
        for position, field_name in scores.broken(document, stored):
            where = "the report" if position is None else names[position]
            found.wrong.append(f"{where}: {field_name} is not what was sealed when the report was written")
    except ValueError as error:
        found.wrong.append(f"{scores.FILE}: {error}")
        stored = {}
    rows = stored.get("claims") or [{}] * len(entries)
    for entry, name, row in zip(entries, names, rows, strict=True):
        record, evidence = row.get("record"), entry["evidence"]
        if record is None and (not _stores_scores(evidence["claim"]["name"]) or entry.get("brief")):
            why = "of so many claims it is kept in brief" if entry.get("brief") else "this claim stores no scores"
            found.left_out.append(f"{name}: {why}")
            continue
        problems = list(_recomputed(evidence, record, stored))
        found.wrong += [f"{name}: {problem}" for problem in problems]
        found.agreeing += [] if problems else [name]
    return found


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


def _stored(document: Mapping[str, Any], folder: Path) -> Mapping[str, Any]:
    """Read the scores file that a report names."""
    named = document.get("scores")
    if named is None or named["file"] != scores.FILE:
        raise ValueError("the report names no such file beside it, so that nothing can be computed again")
    path = folder / scores.FILE
    try:
        content = stored_report.parse(path)
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except (Unusable, OSError) as error:
        raise ValueError(f"it cannot be read: {error}") from None
    if found != named["sha256"]:
        raise ValueError(f"its SHA-256 is {found}, and the report names {named['sha256']}")
    if not isinstance(content, Mapping):
        raise ValueError("it holds no JSON object")
    return content


def _brief(value: Any) -> str:
    return repr(value)[:200]
