"""Share what all commands need: exit statuses, printing, and giving up."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pytest_unlearn.core.files import read_file
from pytest_unlearn.core.text import printable

FINE = 0
BLOCKED = 1
UNUSABLE = 2
NOT_COMPARABLE = 3


class Unusable(Exception):  # noqa: N818 - named for the input
    """Raised for input that a command cannot use; the message is one sentence."""


def say(text: str) -> None:
    """Print one line, with whatever could move the cursor escaped."""
    print(printable(text))


def plural(number: int, noun: str) -> str:
    """Write a number with its noun, as in "1 model" and "2 models"."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def one_line(error: BaseException, most: int = 300) -> str:
    """Put an exception's message, or else its type, on one line."""
    return printable(" ".join(str(error).split())[:most]) or type(error).__name__


def text_in(path: Path, errors: Literal["strict", "replace"] = "strict") -> str:
    """Read a file of text.

    Args:
        path: of the file.
        errors: what becomes of bytes that are no UTF-8.

    Raises:
        Unusable: it cannot be read, or is no such text.
    """
    try:
        return read_file(path).decode("utf-8", errors)
    except (OSError, ValueError) as error:
        raise Unusable(f"{path} cannot be read: {one_line(error)}") from None
