"""Show the progress of trainings past pytest's capture: they take minutes."""

from __future__ import annotations

from typing import Any

import pytest


class Uncaptured:
    """Write to the terminal past the capture, which keeps what a training prints."""

    def __init__(self, reporter: Any, capture: Any) -> None:
        self._reporter, self._capture = reporter, capture
        self._file = reporter._tw._file

    def write(self, text: str) -> None:
        """Write to the terminal, on a line that pytest's own progress is not on."""
        with self._capture.global_and_fixture_disabled():
            self._reporter.ensure_newline()
            self._file.write(text)
            self._file.flush()

    def isatty(self) -> bool:
        """Tell whether there is a terminal behind the capture's plain file."""
        with self._capture.global_and_fixture_disabled():
            return bool(self._file.isatty())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)  # flush, encoding, fileno: as the terminal has them


def progress_to_terminal(task: Any, config: pytest.Config) -> None:
    """Let a task report its trainings on the terminal, if there is one."""
    from pytest_unlearn.core.progress import progress

    reporter = config.pluginmanager.getplugin("terminalreporter")
    capture = config.pluginmanager.getplugin("capturemanager")
    if reporter is not None and capture is not None:
        task.progress = progress(Uncaptured(reporter, capture))  # type: ignore[arg-type]
