"""Read the history and append to it: one run at a time, a whole line or none."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from pytest_unlearn.core.files import alone, kind_in_place_of, read_file
from pytest_unlearn.report.history import Record, parse

LONGEST_WAIT = 60.0  # seconds that other runs may take to append theirs


class HistoryFile:
    """A history that nobody else appends to meanwhile."""

    def __init__(self, path: Path) -> None:
        content = read_file(path) if path.exists() or kind_in_place_of(path) else b""
        self._path, self._ends = path, not content or content.endswith(b"\n")
        self._text = content.decode("utf-8", errors="replace")

    @cached_property
    def _parsed(self) -> tuple[list[Record], int]:
        return parse(self._text)

    @property
    def records(self) -> list[Record]:
        """Return the records of runs, oldest first."""
        return self._parsed[0]

    @property
    def broken(self) -> int:
        """Return how many lines are no record."""
        return self._parsed[1]

    def append(self, record: Mapping[str, Any]) -> None:
        """Append a run, on a line of its own whatever the last one looks like."""
        line = json.dumps(record, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(self._path, flags, 0o666), "ab", buffering=0) as file:
            whole = line if self._ends else b"\n" + line
            if file.write(whole) != len(whole):
                raise OSError(f"{self._path} took only a part of a line: is the disk full?")
            os.fsync(file.fileno())


@contextlib.contextmanager
def opened(path: Path) -> Iterator[HistoryFile]:
    """Open a history for reading and appending, and keep other runs out.

    Raises:
        OSError: it cannot be read or locked, or another run has held it too long.
        ValueError: something else lies in its place.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with alone(path.with_name(f".{path.name}.lock"), LONGEST_WAIT):
        yield HistoryFile(path)
