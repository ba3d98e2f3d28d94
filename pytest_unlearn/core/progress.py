"""Report progress: a live line on a terminal, else a log line for each item."""

from __future__ import annotations

import contextlib
import itertools
import logging
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Protocol, TypeVar

_logger = logging.getLogger("pytest_unlearn")
Item = TypeVar("Item")


class Progress(Protocol):
    """Wrap items as they come, and pass each on unchanged."""

    def __call__(
        self, items: Iterable[Item], total: int | None, doing: str, line: Callable[[Item], str]
    ) -> Iterator[Item]:
        """Yield every item, and report it unless its line is empty."""


def progress(file: IO[str] | None = None) -> Progress:
    """Make a progress report on a stream.

    Args:
        file: where the live line goes if it is a terminal; by default the standard error of the moment.

    Returns:
        A callable `(items, total, doing, line)` that yields the items, where `doing` says what goes on ("training
        references") and `line` what there is to say of one.
    """

    def report(items: Iterable[Item], total: int | None, doing: str, line: Callable[[Item], str]) -> Iterator[Item]:
        stream = sys.stderr if file is None else file
        if stream is not None and stream.isatty():
            yield from _live(items, total, doing, stream)
            return
        of = "" if total is None else f" of {total}"
        for number, item in enumerate(items, start=1):
            if said := line(item):
                _logger.info("%s: %d%s, %s", doing, number, of, said)
            yield item

    return report


def _live(items: Iterable[Item], total: int | None, doing: str, stream: IO[str]) -> Iterator[Item]:
    from tqdm import tqdm

    with tqdm(total=total, desc=doing, file=stream, leave=False) as bar:
        for item in items:
            bar.update()
            yield item


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
