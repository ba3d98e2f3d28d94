"""Show the runs of a history, as text or as a page."""

from __future__ import annotations

import argparse
from pathlib import Path

from pytest_unlearn.cli.console import FINE, Unusable, say, text_in
from pytest_unlearn.report import history, trend


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `trend` to the command line."""
    command = commands.add_parser(
        "trend",
        help="show the runs of a history",
        description="Every run of a history (unlearn_history): its model, its decision, and each claim's verdicts and "
        "estimates over time.",
        epilog="Exit status: 0; 2 the history cannot be read, or holds no run.",
        allow_abbrev=False,
    )
    command.add_argument("history", type=Path, help="a history.jsonl")
    command.add_argument("--html", type=Path, metavar="FILE", help="write a page of its own instead of text")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Read the history, and show it."""
    records, broken = history.parse(text_in(options.history, errors="replace"))
    if not records:
        raise Unusable(f"{options.history} holds no run of a history")
    if options.html is None:
        for line in trend.lines(records, broken):
            say(line)
    else:
        options.html.write_text(trend.page(records, broken), encoding="utf-8", errors="backslashreplace")
        say(f"{options.html}: {trend.summary(records, broken)}")
    return FINE
