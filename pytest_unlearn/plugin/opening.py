"""Note in the history that a run begins, and every new verdict before its end."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_unlearn.core import settings

RUN_BYTES = 6
UNFINISHED = "NOT FINISHED"  # the decision of a run that has not ended


class Opening:
    """A run that is under way, and its lines in the history before its end.

    Attributes:
        run: a short random name of the run.
        tests: all that were collected.
        begun: whether a line was written.
    """

    def __init__(self) -> None:
        self.run = os.urandom(RUN_BYTES).hex()
        self.tests: tuple[str, ...] = ()
        self.begun = False
        self._seen: set[str] = set()

    def is_news(self, verdicts: Sequence[str]) -> bool:
        """Tell, once each, whether a run begins or a verdict is new."""
        news = {*verdicts, ""} - self._seen
        self._seen |= news
        return bool(news)

    def note(
        self, layers: Mapping[str, Mapping[str, Any]], ledger: Mapping[str, Any], about: Mapping[str, Any], root: Path
    ) -> None:
        """Write how far the run is; a history that cannot be used is told of when it ends."""
        from pytest_unlearn.report import history, history_file, write

        path = root / str(settings.resolve("history", None, layers).value)
        line = history.record(ledger, about, self.run, UNFINISHED, ended=False, tests=self.tests)
        try:
            write.ignore_own_folder(path.parent, root)
            with history_file.opened(path) as file:
                file.append(line)
        except (OSError, ValueError):
            return
        self.begun = True
