"""Write down what the gate asks, to be committed: from then on it asks no less."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pytest_unlearn.cli import repository, stored_report
from pytest_unlearn.cli.console import BLOCKED, FINE, Unusable, plural, say
from pytest_unlearn.core import settings
from pytest_unlearn.report import baseline


def add(commands: Any) -> None:
    """Add `baseline` to the command line."""
    command = commands.add_parser(
        "baseline",
        help="write down what the gate asks, so that it cannot be weakened silently",
        description=f"Write {baseline.FILE} into the root directory: required claims, policy, age and release files of "
        "the ini file, and the limits of each claim of the last complete, released report. Commit it: a gate that "
        "asks less blocks until the file is changed as well.",
        epilog="Exit status: 0 written; 1 the report is not of a complete, released run; 2 something cannot be read.",
        allow_abbrev=False,
    )
    command.add_argument("report", type=Path, nargs="?", help="a report.json (default: that of the last run)")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the baseline of a released report, and say what is new in it."""
    ours = repository.read()
    folder = ours.ini.get("report_dir", settings.TABLE["report_dir"].default)
    path = options.report or ours.root / folder / "report.json"
    document = stored_report.load(path)
    ledger = stored_report.ledger(document)
    # A gate that blocks because it is weaker than the old baseline is what a new one is made of.
    weakened = set(ledger.pop("baseline").get("weaker", ()))
    decision = ours.demands.decide(ledger)
    asked = document["gate"]
    reasons = ["its gate was not asked (--unlearn-gate)"] if asked is None else list(asked["reasons"])
    reasons = [reason for reason in dict.fromkeys([*reasons, *decision.reasons]) if reason not in weakened]
    if reasons:
        say(f"no baseline was written: {path} is not of a complete, released run, {plural(len(reasons), 'reason')}:")
        for reason in reasons:
            say(f"  - {reason}")
        return BLOCKED
    present = ours.demands.asked(ledger)
    try:
        before = baseline.read(ours.root / baseline.FILE)
    except baseline.Unreadable:
        before = None  # it is replaced
    target = ours.root / baseline.FILE
    if target.is_dir():
        raise Unusable(f"{target} is a directory, where the baseline belongs")
    target.write_text(baseline.render(present), encoding="utf-8")
    claims = plural(sum(map(len, present.audits.values())), "claim")
    say(f"{target}: {claims} of {plural(len(present.audits), 'test')}. Commit it: a gate that asks less will block")
    if before is not None:
        for text in baseline.weaker(before, present, ledger):
            say(f"  weaker: {text}")
        for text in baseline.stronger(before, present):
            say(f"  stronger: {text}")
    return FINE
