"""Write the rendered report: all of its files appear together and whole, or none does."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_unlearn.report import attestation, html, json, markdown

FILES = ("index.html", "report.json", "report.md", "attestation.json")
STAGE = ".unlearn-report-"


def render(ledger: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, str]:
    """The text of every file of the report, by name."""
    report = json.render(ledger, about)
    return {
        "index.html": html.render(ledger, about),
        "report.json": report,
        "report.md": markdown.render(ledger, about),
        "attestation.json": attestation.render(ledger, about, report),
    }


def publish(ledger: Mapping[str, Any], about: Mapping[str, Any], directory: Path, root: Path) -> list[Path]:
    """Write the report into `directory` and return the paths; an OSError says what went wrong."""
    texts = render(ledger, about)
    directory.mkdir(parents=True, exist_ok=True)
    own = root / ".unlearn"
    if own in (directory, *directory.parents) and not (own / ".gitignore").exists():
        (own / ".gitignore").write_text("*\n")
    # Everything that may fail for want of space or permission happens in a folder of its own beside the old report.
    stage = Path(tempfile.mkdtemp(prefix=STAGE, dir=directory))
    try:
        for name, text in texts.items():
            # A lone surrogate in a test's name has no UTF-8; as \udc80 it is what JSON would write.
            (stage / name).write_text(text, encoding="utf-8", errors="backslashreplace")
        _put_in_place(stage, directory, list(texts))
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return [directory / name for name in texts]


def _put_in_place(stage: Path, directory: Path, names: list[str]) -> None:
    """Move the files of a stage into the directory; if one cannot be moved, what was there before comes back."""
    kept = stage / "before"
    kept.mkdir()
    try:
        for name in names:
            if (directory / name).exists():
                os.replace(directory / name, kept / name)
        for name in names:
            os.replace(stage / name, directory / name)
    except BaseException:
        for name in names:
            with contextlib.suppress(OSError):
                if not (stage / name).exists():  # it had been put in place
                    (directory / name).unlink(missing_ok=True)
                if (kept / name).exists():
                    (kept / name).rename(directory / name)
        raise
