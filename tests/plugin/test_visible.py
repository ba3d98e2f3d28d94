"""Training shows on the terminal although pytest captures; what the training itself prints does not."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator

from pytest_unlearn.visible import Uncaptured


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Reporter:
    """pytest's terminal reporter, as far as it is used."""

    def __init__(self) -> None:
        self._tw = type("Writer", (), {"_file": Terminal()})()

    def ensure_newline(self) -> None:
        self._tw._file.write("|")


class Capture:
    """pytest's capture manager, as far as it is used."""

    disabled = 0

    @contextlib.contextmanager
    def global_and_fixture_disabled(self) -> Iterator[None]:
        self.disabled += 1
        yield


def test_a_write_passes_the_capture_on_a_line_of_its_own() -> None:
    reporter, capture = Reporter(), Capture()
    stream = Uncaptured(reporter, capture)
    stream.write("training 1/4")
    assert (reporter._tw._file.getvalue(), capture.disabled) == ("|training 1/4", 1)
    assert stream.isatty()
