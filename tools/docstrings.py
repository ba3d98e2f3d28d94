"""Turn docstrings, which are plain text, into what Sphinx reads.

Code stands in backticks or is indented after an empty line; a line `name: what it is` describes an argument, and goes
on in lines that are indented; nothing else is markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest

SECTIONS = ("Args:", "Attributes:", "Returns:", "Raises:", "Yields:", "Arguments:")
ARGUMENT = re.compile(r"([\w*]+(?:, [\w*]+)*): ")


def restructured(lines: Sequence[str]) -> list[str]:
    """Convert the lines of a docstring; napoleon reads its sections afterwards."""
    return list(_blocks([line.rstrip() for line in lines]))


def _blocks(lines: Sequence[str]) -> Iterator[str]:
    inside = False  # a section of napoleon's
    state = "text"
    before = ""
    for line in lines:
        if line in SECTIONS:
            inside, state = True, "text"
        elif line and not line.startswith(" "):
            inside = False
        if inside or not line:
            yield escaped(line)
        elif line.startswith(" "):
            if not before and state == "text":
                yield from ("::", "")
                state = "code"
            yield {"code": line, "argument": "  " + escaped(line.strip())}.get(state, escaped(line.strip()))
        elif (found := ARGUMENT.match(line)) and (state == "argument" or not before):
            state = "argument"
            names = ", ".join(f"``{name}``" for name in found[1].split(", "))
            yield f"* {names}: {escaped(line[found.end() :])}"
        else:
            if state == "argument" and before:
                yield ""
            state = "text"
            yield escaped(line)
        before = line


def escaped(line: str) -> str:
    """Escape what would be markup, and set code in double backticks."""
    parts = line.split("`")
    if len(parts) % 2 == 0:  # code that goes on in the next line, or a backtick by itself
        return re.sub(r"([|*`]|(?<=\w)_(?!\w))", r"\\\1", line)
    text = (re.sub(r"([|*]|(?<=\w)_(?!\w))", r"\\\1", part) for part in parts[::2])
    code = (f"``{part}``" for part in parts[1::2])
    return "".join(one + other for one, other in zip_longest(text, code, fillvalue=""))
