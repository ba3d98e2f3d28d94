"""The report as a section of GitHub's job summary, which is a file that steps append to."""

from __future__ import annotations

from pathlib import Path

LARGEST = 1024 * 1024  # GitHub refuses a step's whole summary when it is larger
NOTICE = "\n\n*Cut here: a job summary holds 1,024 KB. The whole text is in report.md.*\n"


def append(text: str, path: Path) -> None:
    """Append as much of the text as the summary has room for; an OSError says why it could not be done."""
    with path.open("a+b") as stream:
        before = stream.tell()
        stream.write(fitted(f"\n{text}" if before else text, LARGEST - before))


def fitted(text: str, room: int) -> bytes:
    """The text in UTF-8, cut at a line and marked as cut where it does not fit."""
    whole = text.encode()
    if len(whole) <= room:
        return whole
    left = room - len(NOTICE.encode())
    return b"" if left < 0 else whole[: whole.rfind(b"\n", 0, left) + 1].rstrip() + NOTICE.encode()
