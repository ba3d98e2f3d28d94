"""Training takes minutes, during which pytest, which captures, would show nothing: a stream past the capture."""

from __future__ import annotations

from typing import Any

import pytest


class Uncaptured:
    """The terminal as a stream; only its own writes get past the capture, whatever a training prints does not."""

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
        """Whether there is a terminal behind the capture, which puts a plain file in its place."""
        with self._capture.global_and_fixture_disabled():
            return bool(self._file.isatty())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)  # flush, encoding, fileno: as the terminal has them


def show_training(task: Any, config: pytest.Config) -> None:
    """Let a task report its trainings on the terminal; without one (xdist workers, -p no:terminal) nothing changes."""
    from pytest_unlearn.core.progress import progress

    reporter = config.pluginmanager.getplugin("terminalreporter")
    capture = config.pluginmanager.getplugin("capturemanager")
    if reporter is not None and capture is not None:
        task.progress = progress(Uncaptured(reporter, capture))  # type: ignore[arg-type]
