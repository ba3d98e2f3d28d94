"""How Sphinx builds these pages: `make docs`, into docs/_build."""

import sys
from pathlib import Path
from typing import cast

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import pytest_unlearn  # noqa: E402
from tools import docstrings, reference_pages  # noqa: E402

project = "pytest-unlearn"
author = "the authors of pytest-unlearn"
release = version = pytest_unlearn.__version__
project_copyright = author

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build", "reference/generated", "judged"]
html_theme = "furo"
html_title = "pytest-unlearn"
html_copy_source = False
templates_path: list[str] = []

myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist"]
myst_heading_anchors = 4
suppress_warnings: list[str] = []

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False

# What tables of the product say is read off them when the pages are built, so that it cannot be out of date.
reference_pages.write(Path(__file__).parent / "reference" / "generated")


def plain(*about: object) -> None:
    """Take docstrings for the plain text that they are: what stands in backticks is code, nothing else is markup."""
    lines = cast("list[str]", about[-1])
    lines[:] = docstrings.restructured(lines)


def setup(app: object) -> None:
    """Let it see docstrings before napoleon reads their sections."""
    app.connect("autodoc-process-docstring", plain, priority=400)  # type: ignore[attr-defined]
