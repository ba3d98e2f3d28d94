"""Render the ledger as one HTML page that loads nothing and needs no JavaScript."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_unlearn.report.html.page import page

HERE = Path(__file__).parent


def render(ledger: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    """Write the whole report as one page: strings escaped, plots as inline SVG."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = (HERE / "style.css").read_text(encoding="utf-8")
    return environment.get_template("page.html").render(style=style, **page(ledger, about)) + "\n"
