"""Put the section of an audit into a model card."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from pytest_unlearn.cli import stored_report
from pytest_unlearn.cli.console import FINE, say, text_in
from pytest_unlearn.report.outlets import model_card


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `card` to the command line."""
    command = commands.add_parser(
        "card",
        help="put an audit's section into a model card",
        description="Put what a stored report says into a model card, between two markers: in the place of an earlier "
        "section, or at the card's end. Its metadata are in the report's model-card.md.",
        epilog="Exit status: 0; 2 the report or the card cannot be read, or the report contradicts itself.",
        allow_abbrev=False,
    )
    command.add_argument("report", type=Path, help="a report.json")
    command.add_argument("card", type=Path, help="a model card, such as README.md; made if it is not there")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Load the report, and rewrite the card."""
    document = stored_report.load(options.report)
    before = text_in(options.card) if os.path.lexists(options.card) else ""
    after = model_card.put(before, model_card.section(stored_report.ledger(document), document))
    beside = options.card.with_name(f".{options.card.name}.new")
    beside.write_text(after, encoding="utf-8", newline="")
    os.replace(beside, options.card)
    say(f"{options.card}: {'the section was replaced' if model_card.BEGIN in before else 'a section was added'}")
    return FINE
