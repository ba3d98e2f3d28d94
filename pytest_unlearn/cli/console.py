"""What the commands share: their exit statuses, how they print, and how they give up."""

from __future__ import annotations

FINE = 0
BLOCKED = 1
UNUSABLE = 2


class Unusable(Exception):  # noqa: N818 - it says what the input is
    """A command cannot be carried out with this input; the message is one sentence that says what to do."""


def say(text: str) -> None:
    """Print one line; what could move the cursor or start another line (names come from files) is shown escaped."""
    print(printable(text))


def printable(text: str) -> str:
    """The text with everything that is not printable escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def plural(number: int, noun: str) -> str:
    """A number with its noun, as in "1 model" and "2 models"."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def one_line(error: BaseException, most: int = 300) -> str:
    """An exception's message on one line, or its type where it says nothing."""
    return printable(" ".join(str(error).split())[:most]) or type(error).__name__
