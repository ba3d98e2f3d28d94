"""Say how training comes along: a live line on a terminal, otherwise one log line for each model."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator
from typing import IO, TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pytest_unlearn.references.training import Trained

_logger = logging.getLogger("pytest_unlearn")


class Progress(Protocol):
    """Wraps the models as they come, and passes each on unchanged."""

    def __call__(self, items: Iterable[Trained], total: int, label: str) -> Iterator[Trained]:
        """Yield every item, and tell whoever watches."""


def progress(file: IO[str] | None = None) -> Progress:
    """A progress report on a stream.

    Args:
        file: where the live line goes if it is a terminal; by default the standard error of the moment.

    Returns:
        A callable `(items, total, label)` that yields the items. What comes from the store is passed on in silence.
    """

    def report(items: Iterable[Trained], total: int, label: str) -> Iterator[Trained]:
        stream = sys.stderr if file is None else file
        if stream is not None and stream.isatty():
            yield from _live(items, total, label, stream)
            return
        for number, trained in enumerate(items, start=1):
            if trained.source != "store":
                _logger.info("%s %d of %d trained in %.1f s", label, number, total, trained.seconds)
            yield trained

    return report


def _live(items: Iterable[Trained], total: int, label: str, stream: IO[str]) -> Iterator[Trained]:
    from tqdm import tqdm

    with tqdm(total=total, desc=f"training {label}s", unit="model", file=stream, leave=False) as bar:
        for trained in items:
            bar.update()
            yield trained


report_progress = progress()
