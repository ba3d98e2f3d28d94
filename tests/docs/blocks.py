"""What a page of documentation shows, as steps that can be taken: code, files, commands with their output.

* A block of Python is run, all of a page in one namespace, in a folder of the page's own.
* One whose first line is a comment with a file's name (`# conftest.py`) is written there; so is TOML, YAML and INI.
* A block `console` holds commands (`$ python ...`) and what they print: each line has to be printed, in this order;
  numbers may be others, and `...` stands for anything.
* A comment `<!-- setup` holds code that readers need not see. `<!-- exits 1 -->` says how the next commands end, and
  `<!-- slow -->` that a page takes its time, `<!-- needs lightning onnx -->` what has to be installed for it.
  Any other block is an illustration.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    if not {"_build", "generated"} & set(page.relative_to(ROOT).parts)
)  # fmt: skip
STEP = re.compile(
    r"^<!-- setup\n(?P<setup>.*?)\n?-->$|^<!-- exits (?P<status>\d+) -->$"
    r"|^(?P<fence>```+|:::+)(?P<language>[\w{}-]*)[^\n]*\n(?P<body>.*?)^(?P=fence)$",
    re.DOTALL | re.MULTILINE,
)
FILE = re.compile(r"# ([\w./-]+\.(?:py|toml|ini|yml|yaml))\b")
SLOW = "<!-- slow -->"
NEEDS = re.compile(r"^<!-- needs ([\w. ]+) -->$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A step of a page: its language ("setup" for what is hidden), its text, where it stands, how commands end."""

    language: str
    text: str
    line: int
    status: int = 0

    @property
    def file(self) -> str:
        """The file that the block shows, if its first line names one."""
        found = FILE.match(self.text)
        return found[1] if found and self.language in ("python", "toml", "ini", "yaml") else ""


def blocks(page: str) -> Iterator[Block]:
    """Yield the steps of a page."""
    status = 0
    for found in STEP.finditer(page):
        line = page.count("\n", 0, found.start()) + 1
        if found["status"] is not None:
            status = int(found["status"])
        elif found["setup"] is not None:
            yield Block("setup", found["setup"], line + 1)
        else:
            yield Block(found["language"], found["body"], line + 1, status)
            status = 0


class Reader:
    """Do what a page shows, step by step, in a folder."""

    def __init__(self, page: Path, folder: Path) -> None:
        self.page, self.folder = page, folder
        self.names: dict[str, Any] = {"__name__": "page"}

    def take(self, block: Block) -> None:
        """Take one step, in the folder as working directory."""
        if block.file:
            target = self.folder / block.file
            target.parent.mkdir(parents=True, exist_ok=True)
            before = target.read_text() if target.exists() and target.suffix != ".py" else ""
            target.write_text(before + block.text)
        elif block.language in ("python", "setup"):
            code = compile("\n" * (block.line - 1) + block.text, str(self.page), "exec")
            exec(code, self.names)
        elif block.language == "console":
            for command, output in commands(block.text):
                self.call(command, output, block.status)

    def call(self, command: str, output: list[str], status: int) -> None:
        """Run a command, and compare what it prints."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "COLUMNS": "120",
                       "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "-ppytest_unlearn.plugin"}  # fmt: skip
        for name in ("CI", "GITHUB_STEP_SUMMARY"):
            environment.pop(name, None)
        arguments = shlex.split(command, comments=True)
        if arguments[0] == "pytest":
            arguments[:1] = ["python", "-m", "pytest"]
        assert arguments[0] == "python", f"{self.page.name}: the command {command!r} is not one of Python's"
        done = subprocess.run(
            [sys.executable, *arguments[1:]], cwd=self.folder, env=environment, text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert done.returncode == status, f"$ {command}\n{done.stdout}"
        missing = not_printed(output, done.stdout)
        assert missing is None, f"{self.page.name} shows {missing!r}, but this was printed:\n$ {command}\n{done.stdout}"


def commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each command of a console block, with the lines that it shows."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, *output = part.splitlines()
        yield command, output


def not_printed(expected: list[str], printed: str) -> str | None:
    """Return the first line that was not printed after those before it; numbers may be others."""
    lines = iter([plain(line) for line in printed.splitlines()])
    for shown in expected:
        parts = [re.escape(part) for part in plain(shown).split("...")]
        if any(parts) and not any(re.search(".*".join(parts), line) for line in lines):
            return shown
    return None


def plain(line: str) -> str:
    """Write a line without its numbers and layout."""
    return re.sub(r"-?\d[\d,]*(\.\d+)?%?", "N", " ".join(line.split()))
