"""Show text that anyone may have written: names of tests, classes and files.

A newline forges a line of a terminal, a right-to-left mark the order of one, and a name of a megabyte hides the rest.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

LONGEST = 5_000  # characters of a text
LONGEST_NAME = 300
_USER = re.compile(r"""://(?:[^\s"']*:[^\s"']*|[^\s/"']*)@""")
NAMES = ("nodeid", "failed_tests")
DATA = ("pixels", "scores")  # shown as a picture, and not at all


def printable(text: str) -> str:
    """Escape everything that is not printable: controls, marks, line breaks."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shortened(text: str, most: int = LONGEST) -> str:
    """Cut a longer text, and say how long it was; no two texts become one."""
    if len(text) <= most:
        return text
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:8]
    return f"{text[: most - 60]}... ({len(text):,} characters, {digest})"


def some(items: Iterable[Any], most: int = 8) -> str:
    """List the first items, and say how many more there are."""
    listed = [str(item) for item in items]
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")


def shown(value: Any, most: int = LONGEST) -> Any:
    """Make every text in plain data fit to be shown, names of mappings included.

    Args:
        value: as JSON has it: mappings, lists, texts, numbers.
        most: how long a text may be.
    """
    if isinstance(value, str):
        return printable(shortened(value, most))
    if isinstance(value, Mapping):
        return {
            shown(name): part if name in DATA else shown(part, LONGEST_NAME if name in NAMES else most)
            for name, part in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [shown(part, most) for part in value]
    return value


def without_password(text: str) -> str:
    """Leave user and password out of each URL in a text.

    Secret keys of object stores may have slashes in them.
    """
    return _USER.sub("://", text)
