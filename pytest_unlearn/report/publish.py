"""Write the rendered report: each file appears whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_unlearn.report import json, markdown

RENDERERS = {"report.json": json.render, "report.md": markdown.render}


def publish(ledger: Mapping[str, Any], about: Mapping[str, Any], directory: Path, root: Path) -> list[Path]:
    """Write every file of the report into `directory` and return the paths; an OSError says what went wrong."""
    texts = {name: render(ledger, about) for name, render in RENDERERS.items()}
    directory.mkdir(parents=True, exist_ok=True)
    own = root / ".unlearn"
    if own in (directory, *directory.parents) and not (own / ".gitignore").exists():
        write_whole(own / ".gitignore", "*\n")
    for name, text in texts.items():
        write_whole(directory / name, text)
    return [directory / name for name in texts]


def write_whole(path: Path, text: str) -> None:
    """Write to a temporary neighbour, then put it in place in one step."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        # mkstemp makes files private; a report is as readable as any other file this user creates.
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
