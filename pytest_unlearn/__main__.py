"""`python -m pytest_unlearn`: the few commands outside pytest."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence

from pytest_unlearn.cli import baseline, cache, card, check, compare, gate, trend, verify
from pytest_unlearn.cli.console import UNUSABLE, Unusable
from pytest_unlearn.cli.files import command as files
from pytest_unlearn.cli.init import command as init
from pytest_unlearn.cli.plan import command as plan
from pytest_unlearn.core.text import printable

PROGRAM = "python -m pytest_unlearn"
STATUSES = (
    "Exit status: 0 fine; 1 blocked, a regression, damage or a limit out of reach; 2 wrong usage or unusable input; "
    "3 not comparable."
)


def parser() -> argparse.ArgumentParser:
    """Build the command line's grammar, a subparser a command."""
    top = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Plan an audit of machine unlearning, and judge, compare and tidy up what audits left behind.",
        epilog=STATUSES,
        allow_abbrev=False,
    )
    commands = top.add_subparsers(title="commands", dest="command", required=True, metavar="COMMAND")
    for command in (init, plan, gate, files, baseline, check, verify, compare, trend, card, cache):
        command.add(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: the command line without the program; that of this process by default.

    Returns:
        The exit status.
    """
    grammar = parser()
    options, rest = grammar.parse_known_args(arguments)
    if rest and not getattr(options, "passes_arguments", False):
        grammar.error(f"unrecognized arguments: {' '.join(rest)}")
    options.pytest_arguments = rest
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a log that cannot show a letter is no reason to fail
    try:
        status: int = options.run(options)
        return status
    except (Unusable, OSError) as error:
        print(f"{PROGRAM} {options.command}: {printable(str(error))}", file=sys.stderr)
        return UNUSABLE


if __name__ == "__main__":
    sys.exit(main())
