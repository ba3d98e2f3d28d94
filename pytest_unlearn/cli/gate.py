"""Run a suite in a process of its own, and release only on the report of that run.

Code that a suite runs can end its process with status 0. So the status alone releases nothing: the run has to come to
its end, and its report has to carry a nonce that nobody knew before.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib import metadata
from itertools import pairwise
from pathlib import Path

from pytest_unlearn.cli import stored_report
from pytest_unlearn.cli.console import BLOCKED, FINE, Unusable, say
from pytest_unlearn.core.variables import GATE_NONCE, GATE_RECEIPT

ASKED = ("--unlearn-gate", "--unlearn-report")
PLUGIN = "unlearn"
REFUSED = {3: "pytest ended with an internal error", 4: "pytest did not accept its arguments or its configuration"}


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `gate` to the command line."""
    command = commands.add_parser(
        "gate",
        help="run a suite, and release only on a report that is this run's own",
        usage="%(prog)s [-h] [pytest arguments ...]",
        description="Run pytest in a process of its own with --unlearn-gate and --unlearn-report. Releases only if the "
        "run came to its end, passed, and left a report that carries this run's nonce and whose gate releases. All "
        "arguments go to pytest.",
        epilog="Exit status: 0 released; 1 blocked; 2 the suite could not be run.",
        allow_abbrev=False,
    )
    command.set_defaults(run=run, passes_arguments=True)


def run(options: argparse.Namespace) -> int:
    """Run the suite, then say in one sentence whether it releases, and why."""
    nonce = secrets.token_hex(16)
    with tempfile.TemporaryDirectory(prefix="unlearn-gate-") as folder:
        receipt = Path(folder) / "receipt.json"
        environment = {**os.environ, GATE_NONCE: nonce, GATE_RECEIPT: str(receipt)}
        sys.stdout.flush()
        status = _call(command_line(options.pytest_arguments, environment), environment)
        if status in REFUSED:
            raise Unusable(f"{REFUSED[status]}, so that nothing was audited (its message is above)")
        why = objection(nonce, receipt, status)
    print()  # a process that ended itself may have left half a line
    say(f"gate: {'blocked, because ' + why if why else 'released: every required claim was proven in this run'}")
    return BLOCKED if why else FINE


def command_line(arguments: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """Make the command that runs the suite, and loads the plugin if nothing else does.

    Args:
        arguments: what the caller wants pytest to be given.
        environment: of the process to start.

    Raises:
        Unusable: the arguments switch the plugin off.
    """
    if f"no:{PLUGIN}" in _plugins(arguments):
        raise Unusable(f"-p no:{PLUGIN} switches the gate off: leave it out")
    named = any(argument.startswith(("pytest_unlearn.", PLUGIN)) for argument in _plugins(arguments))
    installed = any(point.name == PLUGIN for point in metadata.entry_points(group="pytest11"))
    loading: tuple[str, ...] = ()
    if not named and not (installed and not environment.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD")):
        loading = ("-p", PLUGIN if installed else "pytest_unlearn.plugin.hooks")
    return [sys.executable, "-m", "pytest", *loading, *ASKED, *arguments]


def _plugins(arguments: Sequence[str]) -> list[str]:
    """List the plugins that arguments load, as `-p NAME` or `-pNAME`."""
    apart = [name for flag, name in pairwise(arguments) if flag == "-p"]
    return apart + [argument[2:] for argument in arguments if argument.startswith("-p") and argument != "-p"]


def _call(command: Sequence[str], environment: Mapping[str, str]) -> int:
    with subprocess.Popen(command, env=dict(environment)) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:  # pytest got it from the terminal as well, and still has its report to write
            return process.wait()
        finally:
            process.kill()  # after a second one; nothing to a process that has ended


def objection(nonce: str, receipt: Path, status: int) -> str:
    """Say why a run does not release; nothing if it does.

    Args:
        nonce: what its report has to carry.
        receipt: where it had to say that it came to its end, and where its report lies.
        status: the exit status of its process.
    """
    ended = f"with status {status}" if status >= 0 else f"by signal {-status}"
    if not receipt.is_file():
        return (
            f"pytest ended {ended} before the run came to its end, so that nothing was proven: something may have "
            "ended the process (os._exit, a signal), or no test was to be run"
        )
    told = json.loads(receipt.read_text(encoding="utf-8"))
    if told.get("without"):
        return f"the run ended {ended} and wrote no report: {told['without']}"
    path = Path(told["report"])
    if not path.is_file():
        return f"the run ended {ended} and wrote no report"
    document = stored_report.load(path)
    if (document.get("run") or {}).get("nonce") != nonce:
        return f"{path} is not the report of this run: it does not carry its nonce"
    decision = document["gate"] or {}
    if decision.get("release") is not True:
        reasons = decision.get("reasons") or ["its gate was not asked"]
        more = f" (and {len(reasons) - 1} more, in {path})" if len(reasons) > 1 else ""
        return f"{reasons[0]}{more}"
    if status != 0 or told["status"] != 0:
        return f"the run ended {ended}, whatever its report says"
    return ""
