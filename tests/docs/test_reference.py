"""The reference leaves nothing out, pictures are what the tool draws, and what the verdicts' page quotes is said."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import pytest_unlearn
import unlearners
from pytest_unlearn.core import variables
from pytest_unlearn.core.claim_table import TABLE
from pytest_unlearn.core.settings import TABLE as SETTINGS
from pytest_unlearn.plugin import hooks
from tests.docs.blocks import ROOT
from tools import docstrings, pictures, reference_pages

DOCS = ROOT / "docs"


def test_every_option_and_every_ini_key_is_there_with_its_default() -> None:
    text = (DOCS / "reference" / "settings.md").read_text()
    for spec in SETTINGS.values():
        row = next(line for line in text.splitlines() if line.startswith(f"| `{spec.name}` |"))
        assert (f"`{spec.option}" in row) == spec.flag
        assert (f"`{spec.ini_name}`" in row) == spec.ini
        assert str(spec.default).lower() in row.lower()


def test_so_is_all_that_the_plugin_adds_besides() -> None:
    found: list[str] = []

    class Parser:
        def getgroup(self, *_: str) -> Parser:
            return self

        def addoption(self, name: str, *_: object, **__: object) -> None:
            found.append(name)

        addini = addoption

    hooks.pytest_addoption(Parser())  # type: ignore[arg-type]
    assert len(found) > len(SETTINGS)
    text = (DOCS / "reference" / "settings.md").read_text()
    assert not [name for name in found if f"`{name}" not in text]


def test_every_claim_and_every_keyword_of_the_marker_is_there() -> None:
    assert all(f"| `{name}` | [`assert_{name}`]" in reference_pages.claims() for name in TABLE)
    assert all(f"`{spec.name}=`" in reference_pages.marker() for spec in SETTINGS.values() if spec.marker)


def test_every_environment_variable_of_the_product_is_there_with_a_sentence() -> None:
    names = [value for name, value in vars(variables).items() if name.isupper()]
    rows = [line for line in reference_pages.environment().splitlines() if "`UNLEARN_" in line]
    assert [re.findall(r"`(\w+)`", row)[0] for row in rows] == names
    assert all(len(row.split("|")[2]) > 20 for row in rows)


def test_every_public_name_is_in_the_api_once() -> None:
    names = [name for group in reference_pages.groups().values() for name in group]
    assert sorted([*names, "__version__"]) == sorted(pytest_unlearn.__all__)
    assert all(f"| `{name}` |" in (DOCS / "reference" / "api.md").read_text() for name in names)
    assert all(
        f"unlearners.{method.__name__}\n" in reference_pages.methods()
        for method in (*unlearners.UNLEARNERS.values(), *unlearners.TEXT_UNLEARNERS.values())
    )


def test_every_command_and_every_field_of_the_schema_is_there() -> None:
    text = reference_pages.commands()
    assert all(f"## {name}\n" in text for name in ("init", "plan", "gate", "check", "verify", "compare", "cache"))
    assert "__main__.py" not in text
    assert all(f"| `{name}` |" in reference_pages.schema() for name in ("schema_version", "verdict", "attacks", "low"))


@pytest.mark.parametrize("page", sorted((DOCS / "reference").glob("*.md")), ids=lambda page: page.stem)
def test_who_reads_the_repository_sees_the_tables_in_the_pages_as_they_are(page: Path) -> None:
    written = page.read_text()
    assert reference_pages.renewed(written) == written, "python -m tools.reference_pages"
    without = re.sub(r"```\{include\}.*?```", "", written, flags=re.DOTALL)
    assert len(re.findall(r"^(?:\| `|\| \[|\S)", without, flags=re.MULTILINE)) >= 10


def test_every_table_stands_in_a_page() -> None:
    placed = [name for page in DOCS.rglob("*.md") for name in re.findall(r"<!-- made: (\w+) -->", page.read_text())]
    assert sorted(name for name in placed if name != "end") == sorted(reference_pages.TABLES)


def test_every_page_includes_what_is_made() -> None:
    included = {
        name
        for page in DOCS.rglob("*.md")
        for name in re.findall(r"\{include\} [./\w]*generated/(\w+)\.md", page.read_text())
    }
    assert included == set(reference_pages.FRAGMENTS)


def test_files_are_written_only_where_they_change(tmp_path: Path) -> None:
    reference_pages.write(tmp_path)
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    reference_pages.write(tmp_path)
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before
    assert len(before) == len(reference_pages.FRAGMENTS)


@pytest.mark.parametrize("name", pictures.PICTURES)
def test_pictures_are_what_the_tool_draws_and_small(name: str) -> None:
    text = (DOCS / "pictures" / f"{name}.svg").read_text()
    assert text == pictures.PICTURES[name]()
    assert len(text) < 8000
    assert sum(f"pictures/{name}.svg" in page.read_text() for page in DOCS.rglob("*.md")) > 0


def test_what_the_page_on_inconclusive_verdicts_quotes_is_what_verdicts_say() -> None:
    page = (DOCS / "guides" / "inconclusive.md").read_text()
    sources = "\n".join(path.read_text() for path in (ROOT / "pytest_unlearn" / "claims").rglob("*.py"))
    said = re.sub(r'"\s*\n\s*f?"', "", sources)
    quotes = [quote for quote in re.findall(r"`([^`\n]+)`", page) if " " in quote and not quote.startswith(("--", "@"))]
    assert len(quotes) >= 12
    in_parts = {
        "the forget set is not recognised with certainty in the original model": "not recognised with certainty"
    }
    assert not [quote for quote in quotes if in_parts.get(quote, quote) not in said]


def test_docstrings_are_taken_for_plain_text() -> None:
    given = [
        "Do |x| and `y`.",
        "",
        "    @mark",
        "    def f(): ...",
        "",
        "size: of it, in",
        "    bytes.",
        "Args:",
        "    a: *b_",
    ]
    expected = [
        r"Do \|x\| and ``y``.",
        "",
        "::",
        "",
        "    @mark",
        "    def f(): ...",
        "",
        "* ``size``: of it, in",
        "  bytes.",
    ]
    assert docstrings.restructured(given) == [*expected, "Args:", r"    a: \*b\_"]
    assert docstrings.restructured(["", "size, n: of it", "Then."]) == ["", "* ``size``, ``n``: of it", "", "Then."]
