"""What the documents say of the tree is true of it: every path they name is there, and versions agree."""

import re
from pathlib import Path

import pytest

from tests.architecture.test_contracts import ROOT

DOCUMENTS = [
    *(
        ROOT / name
        for name in ("ARCHITECTURE.md", "CONTRIBUTING.md", "RELEASING.md", "SECURITY.md", "docs/glossary.md")
    ),
    *sorted((ROOT / "docs" / "decisions").glob("*.md")),
]
PATH = re.compile(r"`((?:[\w.-]+/)+(?:[\w.-]+)?|[\w-]+\.(?:py|pyi|md|toml|yaml|cff))`")
MADE_BY_RUNS = ("dist/", ".unlearn/", "CITATION.cff", "report.json")
NAMES_OF_ROLES = ("audit.py", "figures.py", "tables.py")  # a file that each claim may have


def paths(text: str) -> list[str]:
    """The paths in backticks of a document."""
    return [found for found in PATH.findall(text) if not found.startswith(MADE_BY_RUNS) and found not in NAMES_OF_ROLES]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_path_that_a_document_names_is_there(document: Path) -> None:
    named = paths(document.read_text())
    missing = [path for path in named if not any((base / path).exists() for base in (ROOT, ROOT / "pytest_unlearn"))]
    assert not missing


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", document.read_text())
    assert not [link for link in links if not (document.parent / link).exists()]


def test_architecture_names_every_room() -> None:
    rooms = {
        path.name + "/" if path.is_dir() else path.name
        for path in (ROOT / "pytest_unlearn").iterdir()
        if not path.name.startswith("_") and path.name != "py.typed"
    }
    assert rooms <= set(paths((ROOT / "ARCHITECTURE.md").read_text()))


def test_one_version_stands_everywhere() -> None:
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version is not None
    assert f"\nversion: {version[1]}\n" in (ROOT / "CITATION.cff").read_text()
    assert (ROOT / "CHANGELOG.md").read_text().startswith(f"# Changelog\n\n## {version[1]} (")


def test_an_invented_path_would_be_found() -> None:
    assert paths("see `core/no_such.py`, `tests/nowhere/` and `max_mia_auc`") == ["core/no_such.py", "tests/nowhere/"]


def test_the_readme_is_short_and_every_link_in_it_leads_somewhere() -> None:
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 150
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
    assert len(links) > 20
    assert not [link for link in links if not (ROOT / link).exists()]
