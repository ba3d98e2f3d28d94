"""Read the scores file beside a stored report, and hold the report to its seals."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_unlearn.cli import stored_report
from pytest_unlearn.cli.console import Unusable
from pytest_unlearn.report import scores

Document = Mapping[str, Any]
NAMES_NONE = "the report names no such file beside it, so that nothing can be computed again"


def read(document: Document, folder: Path) -> Mapping[str, Any]:
    """Read the scores file that a report names.

    Raises:
        ValueError: the report names none, or another than lies there; the sentence says why.
    """
    named = document.get("scores")
    if named is None or named["file"] != scores.FILE:
        raise ValueError(NAMES_NONE)
    path = folder / scores.FILE
    try:
        content = stored_report.parse(path)
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except (Unusable, OSError) as error:
        raise ValueError(f"it cannot be read: {error}") from None
    if found != named["sha256"]:
        raise ValueError(f"its SHA-256 is {found}, and the report names {named['sha256']}")
    if not isinstance(content, Mapping):
        raise ValueError("it holds no JSON object")
    return content


def unsealed(document: Document, stored: Mapping[str, Any]) -> Iterator[str]:
    """Yield what was changed after it was sealed, a sentence each.

    Raises:
        ValueError: the file is of other claims, or damaged.
    """
    for position, name in scores.broken(document, stored):
        where = "the report" if position is None else named(document["claims"][position])
        yield f"{where}: {name} is not what was sealed when the report was written"


def edited(document: Document, folder: Path) -> Iterator[str]:
    """Yield why a report is not as it was written, by the seals of the file beside it.

    A report that names no such file, and has none beside it, is held to nothing.
    """
    if names_scores(document, folder):
        try:
            yield from unsealed(document, read(document, folder))
        except ValueError as error:
            yield f"{scores.FILE}: {error}"


def names_scores(document: Document, folder: Path) -> bool:
    """Tell whether a report names a scores file, or has one beside it."""
    return "scores" in document or os.path.lexists(folder / scores.FILE)


def named(entry: Mapping[str, Any]) -> str:
    """Name a claim by its test."""
    return f"{entry['evidence']['claim']['name']} in {entry['nodeid']}"
