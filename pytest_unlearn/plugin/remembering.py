"""Ask the history about a run that ends, and append it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_unlearn.core import settings
from pytest_unlearn.plugin.opening import Opening

if TYPE_CHECKING:
    from pytest_unlearn.report import history_file


@dataclass
class Memory:
    """What the history holds against a run, and where the run will be appended.

    Attributes:
        past: for ledger and report; empty where nothing was audited.
        problem: why a history that was asked for could not be read or written.
        remark: the same of one that nobody asked for.
        tests: that were to run.
    """

    past: dict[str, Any] = field(default_factory=dict)
    problem: str = ""
    remark: str = ""
    path: Path = field(default_factory=Path)
    asked: bool = False
    file: history_file.HistoryFile | None = None
    tests: Sequence[str] = ()

    def append(self, ledger: Mapping[str, Any], about: Mapping[str, Any]) -> None:
        """Append the run, if there is a history."""
        if self.file is not None:
            try:
                self.file.append(self._line(ledger, about))
            except OSError as error:
                self.give_up(error)

    def add_failures(self, ledger: Mapping[str, Any], about: Mapping[str, Any], failed: Sequence[str]) -> None:
        """Append what the run could not do after it was decided."""
        if self.file is not None and failed:
            from pytest_unlearn.report import history_file

            with contextlib.suppress(OSError, ValueError), history_file.opened(self.path) as file:
                file.append(self._line(ledger, about, failed))

    def _line(self, ledger: Mapping[str, Any], about: Mapping[str, Any], failed: Sequence[str] = ()) -> dict[str, Any]:
        from pytest_unlearn.report import history
        from pytest_unlearn.report.decision import decision_of

        decided = decision_of(about["gate"])
        return history.record(ledger, about, self.past["run"], decided, tests=self.tests, failed=failed)

    def give_up(self, error: Exception) -> None:
        """Note that the history cannot be used."""
        sentence = f"the history {self.path} cannot be used: {error}"
        if self.asked:
            self.problem = sentence
        else:
            self.remark = sentence


@contextlib.contextmanager
def recalled(
    layers: Mapping[str, Mapping[str, Any]],
    ledger: Mapping[str, Any],
    files: Sequence[Mapping[str, str]],
    root: Path,
    opening: Opening,
) -> Iterator[Memory]:
    """Hold the history while a run is decided and appended.

    A history that cannot be used never ends the run. One that was asked for blocks the gate: what it says of the
    candidate is not known.
    """
    where = settings.resolve("history", None, layers)
    memory = Memory(path=root / str(where.value), asked=where.source != "default", tests=opening.tests)
    accepted = settings.accepted_runs(settings.resolve("accept_failed", None, layers).value or "")
    run = opening.run
    with contextlib.ExitStack() as stack:
        if ledger["entries"] or opening.begun:
            from pytest_unlearn.report import history, history_file, write

            try:
                write.ignore_own_folder(memory.path.parent, root)
                memory.file = book = stack.enter_context(history_file.opened(memory.path))
                memory.past = history.past(book.records, ledger, files, accepted, run, opening.tests).to_json()
                memory.past["notes"] += [_unreadable(book.broken, memory.path)] if book.broken else []
            except (OSError, ValueError) as error:
                memory.give_up(error)
        if memory.problem:
            from pytest_unlearn.report import history

            reason = f"{memory.problem}. What it says of this model is not known"
            memory.past = {**history.Past(run).to_json(), "reasons": [reason]}
        yield memory


def _unreadable(lines: int, path: Path) -> str:
    many = "1 line" if lines == 1 else f"{lines} lines"
    return f"{many} of the history {path.name} cannot be read: what was there is not known"
