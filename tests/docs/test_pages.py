"""What the documentation shows works: every block of code is run, and what commands print is what the page says."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.docs.blocks import NEEDS, PAGES, ROOT, SLOW, Block, Reader, blocks, not_printed

RUN = ("python", "console", "setup", "toml", "ini", "yaml")
ILLUSTRATIONS = ("", "text", "groovy", "{toctree}", "{include}", "{eval-rst}", "{image}", "json", "mermaid")


def shown(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def readable() -> list[object]:
    """Every page that has something to run."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        if any(block.language in RUN for block in blocks(text)):
            found.append(pytest.param(page, id=shown(page), marks=[pytest.mark.slow] if SLOW in text else []))
    return found


@pytest.mark.parametrize("page", readable())
def test_everything_that_a_page_shows_works(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    reader, text = Reader(page, tmp_path), page.read_text(encoding="utf-8")
    for needed in NEEDS.findall(text):
        for module in needed.split():
            pytest.importorskip(module)
    for block in blocks(text):
        reader.take(block)


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_no_block_of_code_is_left_out(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    found = list(blocks(text))
    assert len(re.findall(r"^(?:```+|:::+)", text, re.MULTILINE)) == 2 * sum(
        block.language != "setup" for block in found
    )
    for block in found:
        assert block.language in RUN + ILLUSTRATIONS or block.language.startswith("{"), (shown(page), block.line)
        if block.language in ("", "text"):
            with pytest.raises(SyntaxError):  # what is code says so, and is run
                ast.parse(block.text)


def test_steps_are_read_in_order() -> None:
    page = (
        "<!-- setup\nx = 1\n-->\n```python\nassert x\n```\n"
        "<!-- exits 2 -->\n```console\n$ python -c 1\n```\n```text\n1 2\n```\n"
    )
    assert list(blocks(page)) == [
        Block("setup", "x = 1", 2),
        Block("python", "assert x\n", 5),
        Block("console", "$ python -c 1\n", 9, 2),
        Block("text", "1 2\n", 12),
    ]


def test_wrong_code_a_wrong_status_and_wrong_output_are_found(tmp_path: Path) -> None:
    reader = Reader(Path("page.md"), tmp_path)
    with pytest.raises(NameError):
        reader.take(Block("python", "unheard_of", 1))
    with pytest.raises(AssertionError, match="exit"):
        reader.take(Block("console", "$ python -c 'exit(1)'", 1))
    with pytest.raises(AssertionError, match="page.md shows 'two'"):
        reader.take(Block("console", "$ python -c 'print(1)'\ntwo", 1))
    reader.take(Block("console", "$ python -c 'print(1.5, 2); exit(3)'\n7.25 ...", 1, 3))


def test_files_are_written_and_configurations_added_to(tmp_path: Path) -> None:
    reader = Reader(Path("page.md"), tmp_path)
    for text in ("# one.py\nx = 1\n", "# one.py\nx = 2\n"):
        reader.take(Block("python", text, 1))
    for text in ("# pyproject.toml\n[a]\n", "# pyproject.toml\n[b]\n"):
        reader.take(Block("toml", text, 1))
    assert (tmp_path / "one.py").read_text() == "# one.py\nx = 2\n"
    assert (tmp_path / "pyproject.toml").read_text() == "# pyproject.toml\n[a]\n# pyproject.toml\n[b]\n"


@pytest.mark.parametrize(
    ("expected", "printed", "missing"),
    [
        (["PASS  0.5", "done"], "PASS    0.487\nmore\ndone\n", None),
        (["done", "PASS"], "PASS\ndone\n", "PASS"),
        (["a ... c"], "a b c\n", None),
        (["FAIL 1"], "PASS 1\n", "FAIL 1"),
        (["...", ""], "", None),
    ],
)
def test_output_is_compared_line_by_line_with_other_numbers(
    expected: list[str], printed: str, missing: str | None
) -> None:
    assert not_printed(expected, printed) == missing
