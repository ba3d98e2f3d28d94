"""Tie a run to its report: the nonce of `gate`, and the key of what the run makes.

`python -m pytest_unlearn gate` starts a run and believes it only if it comes to its end and says so.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from pytest_unlearn.core.variables import GATE_NONCE, GATE_RECEIPT, RUN_KEY


class Handover(NamedTuple):
    """Hold what `gate` handed to this run; both are empty if it did not start it."""

    nonce: str = ""
    receipt: str = ""

    def confirm(self, report: Path, status: int, without: str = "") -> None:
        """Say where the report lies or why there is none, and how the run ended."""
        if self.receipt:
            told = {"report": str(report), "status": status, "without": without}
            Path(self.receipt).write_text(json.dumps(told), encoding="utf-8")


def take() -> Handover:
    """Take what `gate` handed over, so that no process started from here has it."""
    return Handover(*(os.environ.pop(name, "") for name in (GATE_NONCE, GATE_RECEIPT)))


def start_run() -> Callable[[], None]:
    """Make the run's key, for this process and its workers; return what undoes it."""
    before = os.environ.get(RUN_KEY)
    os.environ[RUN_KEY] = os.urandom(32).hex()

    def restore() -> None:
        if before is None:
            os.environ.pop(RUN_KEY, None)
        else:
            os.environ[RUN_KEY] = before

    return restore
