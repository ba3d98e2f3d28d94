"""Write the report's files, all whole or none, and the job summary on GitHub."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_unlearn.core.files import alone
from pytest_unlearn.report import annex, attestation, html, json, markdown, scores
from pytest_unlearn.report.outlets import badge, junit, metrics, model_card

Render = Callable[[Mapping[str, Any], Mapping[str, Any]], str]
MARKDOWN: Mapping[str, Render] = {
    "report.md": markdown.render,
    annex.FILE: annex.render,
    model_card.FILE: model_card.render,
}
OUTLETS: Mapping[str, Render] = {
    junit.FILE: junit.render,
    metrics.OPEN_METRICS: metrics.open_metrics,
    metrics.FLAT: metrics.flat_json,
    badge.FILE: badge.render,
}
FILES = ("index.html", "report.json", "attestation.json", scores.FILE, *MARKDOWN, *OUTLETS)
STAGE = ".unlearn-report-"
ABANDONED = 60 * 60.0  # seconds after which a stage belongs to a run that was killed
LOCK = ".unlearn-report.lock"
LONGEST_WAIT = 60.0  # seconds that another run may take to move its files
PREVIOUS = "previous"
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def render(ledger: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, str]:
    """Write the text of every file of the report, by name.

    Without files to be released there is nothing that an attestation could be about, and none.
    """
    document, stored = scores.sealed(json.document(ledger, about), ledger["entries"])
    report = json.text_of(document)
    texts = {
        "index.html": _without_controls(html.render(ledger, about)),
        "report.json": report,
        "attestation.json": attestation.render(ledger, about, report),
        scores.FILE: stored,
        **{name: _without_controls(make(ledger, about)) for name, make in MARKDOWN.items()},
        **{name: make(ledger, about) for name, make in OUTLETS.items()},
    }
    return {name: text for name, text in texts.items() if text}


def texts(paths: Iterable[Path]) -> dict[str, str]:
    """Read files of a report back, by name."""
    return {path.name: path.read_text(encoding="utf-8") for path in paths}


def publish(ledger: Mapping[str, Any], about: Mapping[str, Any], directory: Path, root: Path) -> list[Path]:
    """Write the report's files into `directory` and return their paths."""
    made = render(ledger, about)
    directory.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        if (directory / name).is_dir():
            raise IsADirectoryError(f"{directory / name} is a directory, where a file of the report belongs")
    ignore_own_folder(directory, root)
    # Everything that may fail for want of space or permission happens in a folder of its own beside the old report.
    stage = Path(tempfile.mkdtemp(prefix=STAGE, dir=directory))
    try:
        for name, text in made.items():
            # A lone surrogate in a test's name has no UTF-8; as \udc80 it is what JSON would write.
            (stage / name).write_text(text, encoding="utf-8", errors="backslashreplace")
        with alone(directory / LOCK, LONGEST_WAIT):
            _put_in_place(stage, directory, list(made))
            remove_abandoned(directory)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    shutil.rmtree(directory / PREVIOUS, ignore_errors=True)
    return [directory / name for name in made]


def ignore_own_folder(directory: Path, root: Path) -> None:
    """Keep `.unlearn` out of version control, if that is where a directory lies."""
    own = root / ".unlearn"
    if own in (directory, *directory.parents) and not (own / ".gitignore").exists():
        own.mkdir(parents=True, exist_ok=True)
        (own / ".gitignore").write_text("*\n")


def set_aside(directory: Path) -> None:
    """Move an earlier run's report aside: a run that dies must not seem to own it.

    It lies in a folder `previous` until the next report is written. Where nothing can be moved, nothing is.
    """
    there = [name for name in FILES if (directory / name).is_file()]
    with contextlib.suppress(OSError):
        if there:
            shutil.rmtree(directory / PREVIOUS, ignore_errors=True)
            (directory / PREVIOUS).mkdir()
        for name in there:
            os.replace(directory / name, directory / PREVIOUS / name)


def remove_abandoned(directory: Path, age: float = ABANDONED) -> int:
    """Remove what killed runs had staged, if it is `age` seconds old; return how many."""
    before, removed = time.time() - age, 0
    for stage in directory.glob(f"{STAGE}*"):
        with contextlib.suppress(OSError):
            status = stage.lstat()
            if stat.S_ISDIR(status.st_mode) and status.st_mtime <= before:
                shutil.rmtree(stage)
                removed += 1
    return removed


def _without_controls(text: str) -> str:
    """Replace control characters, which a test's name may hold."""
    return CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)


def _put_in_place(stage: Path, directory: Path, names: list[str]) -> None:
    """Move staged files into the directory, all of them or none."""
    kept = stage / "before"
    kept.mkdir()
    try:
        for name in FILES:  # an old attestation goes even where there is no new one
            if (directory / name).exists():
                os.replace(directory / name, kept / name)
        for name in names:
            os.replace(stage / name, directory / name)
    except BaseException:
        for name in FILES:
            with contextlib.suppress(OSError):
                if name in names and not (stage / name).exists():  # it had been put in place
                    (directory / name).unlink(missing_ok=True)
                if (kept / name).exists():
                    (kept / name).rename(directory / name)
        raise


SUMMARY = "GITHUB_STEP_SUMMARY"


@dataclass(frozen=True)
class Written:
    """Hold the files written, why they could not be (`problem`), and `remarks`."""

    paths: tuple[Path, ...] = ()
    problem: str = ""
    remarks: tuple[str, ...] = ()


def write(ledger: Mapping[str, Any], about: Mapping[str, Any], directory: Path, root: Path) -> Written:
    """Write the files and the job summary; a failure is returned, not raised."""
    before = _stamps(directory)
    try:
        paths = tuple(publish(ledger, about, directory, root))
        unattested = () if directory / "attestation.json" in paths else (attestation.NOTHING_TO_ATTEST,)
        return Written(paths, remarks=(*unattested, *_summarise(ledger, about)))
    except Exception as error:  # whatever a renderer trips over must not cost the run its other failures
        why = str(error) or type(error).__name__
        why = why if isinstance(error, (OSError, ValueError)) else f"{type(error).__name__}: {why}"
        problem = f"the report could not be written to {directory}: {CONTROLS.sub('?', why)}"
        if (directory / PREVIOUS).is_dir():
            problem += f"; the report of an earlier run is in {PREVIOUS}/"
        stale = [name for name, stamp in _stamps(directory).items() if before.get(name) == stamp]
        if stale:
            problem += f"; what lies there of an earlier run is not this run's: {', '.join(stale)}"
        return Written(problem=problem, remarks=_summarise(ledger, about))


def _summarise(ledger: Mapping[str, Any], about: Mapping[str, Any]) -> tuple[str, ...]:
    summary = os.environ.get(SUMMARY)
    try:
        if summary:
            markdown.append(markdown.render(ledger, about), Path(summary))
    except Exception as error:
        return (f"nothing was appended to ${SUMMARY}: {error}",)
    return ()


def _stamps(directory: Path) -> dict[str, tuple[int, int]]:
    """Stamp the report's files in a directory; written again, a stamp changes."""
    stamps = {}
    for name in FILES:
        with contextlib.suppress(OSError):
            status = (directory / name).stat()
            stamps[name] = (status.st_ino, status.st_mtime_ns)
    return stamps
