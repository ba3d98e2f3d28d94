"""Report progress: a live line on a terminal, else a line every half minute.

Without a terminal each item is logged besides, for whoever listens to the logger.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Protocol, TypeVar

_logger = logging.getLogger("pytest_unlearn")
Item = TypeVar("Item")
EVERY = 30.0
"""Seconds between the lines of work that no terminal shows."""


class Progress(Protocol):
    """Wrap items as they come, and pass each on unchanged."""

    def __call__(
        self,
        items: Iterable[Item],
        total: int | None,
        doing: str,
        line: Callable[[Item], str],
        now: Callable[[], str] | None = None,
    ) -> Iterator[Item]:
        """Yield every item, and report it unless its line is empty.

        `now` says what goes on at the moment, and how long it will take; else it is told from how many items came.
        """


def progress(file: IO[str] | None = None, every: float | None = None) -> Progress:
    """Make a progress report on a stream.

    Args:
        file: where lines go; by default the standard error of the moment.
        every: seconds between two lines, where that is no terminal; `EVERY` by default.

    Returns:
        A callable `(items, total, doing, line, now)` that yields the items, where `doing` says what goes on ("training
        models"), `line` what there is to say of one, and `now` what goes on at the moment.
    """

    def report(
        items: Iterable[Item],
        total: int | None,
        doing: str,
        line: Callable[[Item], str],
        now: Callable[[], str] | None = None,
    ) -> Iterator[Item]:
        stream = sys.stderr if file is None else file
        if stream is not None and stream.isatty():
            yield from _live(items, total, doing, stream, now)
        else:
            yield from _plain(items, total, doing, line, now, stream, EVERY if every is None else every)

    return report


def _plain(
    items: Iterable[Item],
    total: int | None,
    doing: str,
    line: Callable[[Item], str],
    now: Callable[[], str] | None,
    stream: IO[str] | None,
    every: float,
) -> Iterator[Item]:
    of, started, number = "" if total is None else f" of {total}", time.monotonic(), 0

    def counted() -> str:
        took = time.monotonic() - started
        left = f"; about {duration(took / number * (total - number))} left" if total and number else ""
        return f"{doing}: {number}{of} done in {duration(took)}{left}"

    with _every(every, lambda: _write(stream, (now or counted)())):
        for number, item in enumerate(items, start=1):
            if said := line(item):
                _logger.info("%s: %d%s, %s", doing, number, of, said)
            yield item


@contextlib.contextmanager
def _every(seconds: float, action: Callable[[], None]) -> Iterator[None]:
    """Do something now and then, from a thread of its own, while a block runs."""
    over = threading.Event()

    def tick() -> None:
        while not over.wait(seconds):
            action()

    thread = threading.Thread(target=tick, name="pytest-unlearn progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _write(stream: IO[str] | None, text: str) -> None:
    # A closed stream is no reason to stop what is being made.
    with contextlib.suppress(OSError, ValueError, AttributeError):
        stream.write(f"pytest-unlearn: {text}\n")  # type: ignore[union-attr]
        stream.flush()  # type: ignore[union-attr]


def _live(
    items: Iterable[Item], total: int | None, doing: str, stream: IO[str], now: Callable[[], str] | None
) -> Iterator[Item]:
    from tqdm import tqdm

    with tqdm(total=total, desc=doing if now is None else now(), file=stream, leave=False) as bar:
        for item in items:
            bar.update()
            if now is not None:
                bar.set_description(now())
            yield item


def duration(seconds: float) -> str:
    """Write a duration as people do: 45 s, 12 min, 3.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


report_progress = progress()


@contextlib.contextmanager
def told(
    report: Progress, total: int | None, doing: str, line: Callable[[Item], str]
) -> Iterator[Callable[[Item], None]]:
    """Report progress of work that calls back with each thing done."""
    waiting: deque[Item] = deque()
    shown = report((waiting.popleft() for _ in itertools.count()), total, doing, line)

    def tell(item: Item) -> None:
        waiting.append(item)
        next(shown)

    try:
        yield tell
    finally:
        if hasattr(shown, "close"):
            shown.close()
