"""Everything a report is written to, and what became of it: its own files, and the job summary on GitHub."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_unlearn.report import markdown, publish, step_summary

SUMMARY = "GITHUB_STEP_SUMMARY"


@dataclass(frozen=True)
class Written:
    """The files that were written, why they could not be (`problem`), and what else is worth saying (`remark`)."""

    paths: tuple[Path, ...] = ()
    problem: str = ""
    remark: str = ""


def write(ledger: Mapping[str, Any], about: Mapping[str, Any], directory: Path, root: Path) -> Written:
    """Write the report's files, and append to the job summary where there is one; a failure is said, not raised."""
    before = _stamps(directory)
    try:
        return Written(tuple(publish.publish(ledger, about, directory, root)), remark=_summarise(ledger, about))
    except Exception as error:  # whatever a renderer trips over must not cost the run its other failures
        why = str(error) or type(error).__name__
        why = why if isinstance(error, (OSError, ValueError)) else f"{type(error).__name__}: {why}"
        problem = f"the report could not be written to {directory}: {publish.CONTROLS.sub('?', why)}"
        if (directory / publish.PREVIOUS).is_dir():
            problem += f"; the report of an earlier run is in {publish.PREVIOUS}/"
        stale = [name for name, stamp in _stamps(directory).items() if before.get(name) == stamp]
        if stale:
            problem += f"; what lies there of an earlier run is not this run's: {', '.join(stale)}"
        return Written(problem=problem, remark=_summarise(ledger, about))


def _summarise(ledger: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    summary = os.environ.get(SUMMARY)
    try:
        if summary:
            step_summary.append(markdown.render(ledger, about), Path(summary))
    except Exception as error:
        return f"nothing was appended to ${SUMMARY}: {error}"
    return ""


def _stamps(directory: Path) -> dict[str, tuple[int, int]]:
    """Which files of a report lie in the directory, and a stamp that changes when they are written again."""
    stamps = {}
    for name in publish.FILES:
        with contextlib.suppress(OSError):
            status = (directory / name).stat()
            stamps[name] = (status.st_ino, status.st_mtime_ns)
    return stamps
