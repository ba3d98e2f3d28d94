"""Say how work comes along: a live line on a terminal, otherwise one log line for each thing done."""

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
    """Wraps things as they come, and passes each on unchanged."""

    def __call__(
        self, items: Iterable[Item], total: int | None, doing: str, line: Callable[[Item], str]
    ) -> Iterator[Item]:
        """Yield every item, and tell whoever watches; an empty line is not told."""


def progress(file: IO[str] | None = None) -> Progress:
    """A progress report on a stream.

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
    """A progress report for work that calls back: tell it of each thing done."""
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
