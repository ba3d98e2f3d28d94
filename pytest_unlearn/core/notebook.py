"""Show one evidence in a notebook: text of a page, or HTML that stands alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from pytest_unlearn.core.text import shown
from pytest_unlearn.core.wording import explain, headline_of, rows_of

MOST_LINES = 40
# Plain on light and on dark ground: text and lines are of the page's own colour, and only the verdict has its own.
GROUNDS = {"PASS": "#1a7f37", "FAIL": "#b42318", "INCONCLUSIVE": "#8a5a00", "INVALID": "#b42318"}
_BADGE = "display:inline-block;padding:.1em .6em;border-radius:.3em;color:#fff;font-weight:600;background:"
_NAME = "text-align:left;vertical-align:top;padding:.15em 1em .15em 0;font-weight:600;white-space:nowrap;color:inherit"
_TEXT = "text-align:left;vertical-align:top;padding:.15em 0;color:inherit"


def text_of(evidence: Mapping[str, Any]) -> str:
    """Write one evidence (as JSON) as a failing test shows it, on a page."""
    lines = explain(evidence).split("\n")
    if len(lines) > MOST_LINES:
        left = len(lines) - MOST_LINES + 1
        lines = [*lines[: MOST_LINES - 1], f"  ... and {left} more lines (write_report shows all)"]
    return "\n".join(lines)


def html_of(evidence: Mapping[str, Any]) -> str:
    """Write one evidence (as JSON) as HTML: verdict, sentence, table, reasons, next."""
    evidence = shown(evidence)
    verdict, label = escape(str(evidence["verdict"])), evidence["label"]
    headline = headline_of(evidence) + (f" ({label})" if label else "")
    return (
        '<div style="color:inherit;background:transparent;max-width:60em;line-height:1.4">'
        f'<p style="margin:.3em 0"><span style="{_BADGE}{GROUNDS[verdict]}">{verdict}</span> '
        f"{escape(headline[:1].upper() + headline[1:])}.</p>"
        f'<table style="border-collapse:collapse;background:transparent">{"".join(_rows(evidence))}</table></div>'
    )


def _rows(evidence: Mapping[str, Any]) -> Iterator[str]:
    for name, texts in rows_of(evidence):
        cell = "<br>".join(map(escape, texts))
        row = f'<th scope="row" style="{_NAME}">{escape(name)}</th><td style="{_TEXT}">{cell}</td>'
        yield f'<tr style="background:transparent">{row}</tr>'
