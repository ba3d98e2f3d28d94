"""index.html without a browser: what is in it, and what must never be. tests/browser looks at it."""

from __future__ import annotations

import re
import sys
from typing import Any
from xml.etree import ElementTree

import pytest

from pytest_unlearn.report import html
from pytest_unlearn.report.html import plots
from pytest_unlearn.report.ledger import Ledger
from tests.evidences import evidence
from tests.unit.report.test_write import ABOUT

ESTIMATE = evidence().to_json()["estimate"]
NAN = {**ESTIMATE, "value": None, "low": None, "high": None}


def page(*found: dict[str, Any]) -> str:
    book = Ledger()
    for k, one in enumerate(found):
        book.add(f"test_{k}", "passed", [one])
    return html.render(book.freeze(), ABOUT)


def test_the_same_ledger_gives_the_same_page() -> None:
    assert page(evidence().to_json()) == page(evidence().to_json())


def test_nothing_in_it_points_elsewhere() -> None:
    text = page(evidence().to_json(), evidence("FAIL").to_json())
    addresses = set(re.findall(r'(?:src|href|xlink:href)="([^"#][^"]*)"', text))
    assert addresses == {"data:,"}
    assert "default-src &#39;none&#39;" in text or "default-src 'none'" in text
    assert "<script" not in text


@pytest.mark.parametrize("field", ["label", "decided_by", "reasons", "advice"])
def test_every_string_is_escaped(field: str) -> None:
    planted = "<script>alert(1)</script>"
    value = (planted,) if field in ("reasons", "advice") else planted
    text = page(evidence("FAIL", **{field: value}).to_json())
    assert planted not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_names_in_provenance_attacks_and_tables_are_escaped_too() -> None:
    planted = "<img src=x onerror=alert(1)>"
    found = evidence().to_json()
    found["attacks"] = {planted: found["estimate"]}
    found["provenance"] = {planted: {"deep": [planted, {"er": planted}]}}
    found["claim"] = {**found["claim"], "quantity": planted, "text": planted, "sources": {planted: planted}}
    found["exhibits"] = [
        {"kind": "table", "title": planted, "says": planted, "columns": [planted], "rows": [[planted]]},
        {"kind": "curves", "title": planted, "says": planted, "x_label": planted, "y_label": planted,
         "series": {planted: [[0.1, 1.0], [0.2, 1.0]]}, "logarithmic": False, "diagonal": True},
        {"kind": "histograms", "title": planted, "says": planted, "x_label": planted, "edges": [0, 1],
         "sets": [planted, planted], "panels": {planted: [[1.0], [1.0]]}},
    ]  # fmt: skip
    text = page(found)
    assert planted not in text
    assert text.count("onerror") > 12


def test_an_exhibit_of_an_unknown_kind_does_not_spoil_the_page() -> None:
    text = page(evidence().to_json() | {"exhibits": [{"kind": "hologram", "title": "t", "says": "s"}]})
    assert "No leakage was found" in text
    assert text.count("<figure>") == 1


@pytest.mark.parametrize(
    "estimate", [NAN, {**ESTIMATE, "low": None}, {**ESTIMATE, "value": 0.5, "low": 0.5, "high": 0.5}]
)
def test_numbers_that_are_not_finite_are_shown_as_such(estimate: dict[str, Any]) -> None:
    text = page(evidence("INVALID").to_json() | {"estimate": estimate, "attacks": {"margin": estimate}})
    assert ("n/a" in text) == (estimate["low"] is None)


def test_a_plot_is_well_formed_and_takes_its_colours_from_the_page() -> None:
    rows = [("this model", "unlearned", ESTIMATE), ("original", "original", ESTIMATE), ("<&>$x$", "other", ESTIMATE)]
    svg = plots.intervals(rows, [0.45, 0.55], "membership AUC")
    tree = ElementTree.fromstring(svg)
    texts = "".join(tree.itertext())
    assert "limit 0.45" in texts
    assert "<&>$x$" in texts
    assert {"--ink", "--unlearned", "--original", "--limit"} <= set(re.findall(r"var\((--[\w-]+)\)", svg))
    assert not re.search(r"#[0-9a-f]{6}\b(?!\")", re.sub(r'(href="|url\()#[^")]+', "", svg))
    defined = set(re.findall(r"(--[\w-]+):", (html.page.HERE / "style.css").read_text()))
    assert set(plots.VARIABLES.values()) <= defined


def test_curves_with_gaps_and_zeros_are_drawn() -> None:
    exhibit = {"x_label": "x", "y_label": "y", "logarithmic": True, "diagonal": True,
               "series": {"unlearned": [[0.01, 0.1, 1.0], [0.0, None, 1.0]], "a": [[], []]}}  # fmt: skip
    assert "guessing" in "".join(ElementTree.fromstring(plots.curves(exhibit)).itertext())


def test_a_picture_is_a_png() -> None:
    assert plots.picture([[0, 255], [10, 20]]).startswith(b"\x89PNG")
    assert plots.picture([[[0, 1, 2], [3, 4, 5]]] * 2).startswith(b"\x89PNG")


def test_of_many_claims_the_gravest_are_shown_in_full_and_every_one_is_listed() -> None:
    found = [evidence("FAIL" if k % 9 == 0 else "PASS").to_json() for k in range(60)]
    text = page(*found)
    assert text.count('<section class="claim"') == 12
    assert text.count("<li><b class=") == 60 + html.page.MOST_TOLD
    assert text.count('<h2 id="claim-') == 12
    assert "the other 48 are listed here only" in text
    assert text.index("test_54") < text.index("test_1<")


def test_without_a_report_matplotlib_is_not_imported() -> None:
    import subprocess

    code = "import sys, pytest_unlearn.plugin.session, pytest_unlearn.report.write; print('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
