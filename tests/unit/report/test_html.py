"""index.html without a browser: what is in it, and what must never be. tests/browser looks at it."""

from __future__ import annotations

import base64
import hashlib
import re
import sys
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_unlearn.report import html
from pytest_unlearn.report.decision import card
from pytest_unlearn.report.html import pictures, plots
from pytest_unlearn.report.html.plots.svg import WIDTH, width_of
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
    (script,) = re.findall(r"<script>(.*?)</script>", text, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text  # the browser runs this one and no other


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
    assert text.count("<figure>") == 2  # the estimate and the attacks


@pytest.mark.parametrize(
    "estimate", [NAN, {**ESTIMATE, "low": None}, {**ESTIMATE, "value": 0.5, "low": 0.5, "high": 0.5}]
)
def test_numbers_that_are_not_finite_are_shown_as_such(estimate: dict[str, Any]) -> None:
    text = page(evidence("INVALID").to_json() | {"estimate": estimate, "attacks": {"margin": estimate}})
    assert ("n/a" in text) == (estimate["low"] is None)


def drawn(drawing: plots.Drawing | None) -> ElementTree.Element:
    assert drawing is not None
    return ElementTree.fromstring(drawing.document("A title", "p1"))


def test_a_plot_is_well_formed_named_and_takes_its_colours_from_the_page() -> None:
    rows = [plots.row(label, role, ESTIMATE) for label, role in
            (("this model", "unlearned"), ("original", "original"), ("<&>$x$", "other"))]  # fmt: skip
    tree = drawn(plots.forest([row for row in rows if row], [0.45, 0.55], "membership AUC"))
    texts = "".join(tree.itertext())
    assert "limit 0.45" in texts
    assert "<&>$x$" in texts
    assert tree.attrib["aria-labelledby"] == "p1-t p1-d"
    assert "p1-t" in {child.attrib.get("id") for child in tree}  # the page has p1-d, once and in sight
    style = (html.page.HERE / "style.css").read_text()
    for part in tree.iter():
        assert not {"fill", "stroke", "style"} & set(part.attrib)
        kinds = part.attrib.get("class", "").split()
        assert not kinds or any(f".{kind}" in style for kind in kinds)


def test_curves_with_gaps_and_zeros_are_drawn() -> None:
    exhibit = {"x_label": "x", "y_label": "y", "logarithmic": True, "diagonal": True,
               "series": {"unlearned": [[0.01, 0.1, 1.0], [0.0, None, 1.0]], "a": [[], []]}}  # fmt: skip
    assert "guessing" in "".join(drawn(plots.curves(exhibit)).itertext())


@pytest.mark.parametrize("label", ["m" * 60, "a label of many words that goes on and on and on until it has to break"])
def test_no_label_is_wider_than_the_picture(label: str) -> None:
    row = plots.row(label, "unlearned", ESTIMATE)
    assert row is not None
    tree = drawn(plots.forest([row], [0.5], label))
    for text in tree.iter("{http://www.w3.org/2000/svg}text" if tree.tag.startswith("{") else "text"):
        assert float(text.attrib["x"]) >= 0 or text.attrib.get("class")
        assert width_of(text.text or "") <= WIDTH


def places(path: str) -> list[tuple[float, float]]:
    """The points of a path of M, l, h, v and z."""
    x = y = 0.0
    found = []
    for letter, rest in re.findall(r"([Mlhv])([-\d. ]+)", path):
        steps = [float(number) for number in re.findall(r"-?[\d.]+", rest)]
        for k in range(0, len(steps), 1 if letter in "hv" else 2):
            across, down = {"h": (steps[k], 0.0), "v": (0.0, steps[k])}.get(letter) or (steps[k], steps[k + 1])
            x, y = (across, down) if letter == "M" else (x + across, y + down)
            found.append((x, y))
    return found


@given(st.lists(st.tuples(st.floats(0, 340), st.floats(0, 200)), min_size=1, max_size=60))
def test_a_line_is_drawn_within_half_a_pixel_of_its_points(points: list[tuple[float, float]]) -> None:
    drawing = plots.Drawing()
    drawing.line(points, "l axis")
    (path,) = (part.attrib["d"] for part in ElementTree.fromstring(f"<svg>{drawing.parts[0]}</svg>"))
    line = places(path)
    ends = list(pairwise(line)) or [(line[0], line[0])]
    assert all(min(distance(point, *part) for part in ends) < 0.6 for point in points)
    assert max(map(abs, (line[0][0] - points[0][0], line[-1][1] - points[-1][1]))) < 0.11


def distance(point: tuple[float, float], start: tuple[float, float], end: tuple[float, float]) -> float:
    """How far a point is from a part of a line."""
    p, a, b = (complex(*one) for one in (point, start, end))
    along = ((p - a) * (b - a).conjugate()).real / abs(b - a) ** 2 if a != b else 0.0
    return abs(p - (a + min(max(along, 0.0), 1.0) * (b - a)))


@pytest.mark.parametrize("bounds", [(-1e9, 1e9), (None, 1e300), (0.5, 0.5)])
def test_bounds_far_away_leave_the_estimate_readable(bounds: tuple[Any, Any]) -> None:
    row = plots.row("it", "unlearned", {"value": 0.5, "low": bounds[0], "high": bounds[1]})
    assert row is not None
    tree = drawn(plots.forest([row], [0.45, 0.55], "AUC"))
    numbers = [number for part in tree.iter("path") for point in places(part.attrib["d"]) for number in point]
    assert len(numbers) > 20
    assert all(-10 < number < 400 for number in numbers)


def test_a_picture_is_a_png() -> None:
    assert plots.picture([[0, 255], [10, 20]]).startswith(b"\x89PNG")
    assert plots.picture([[[0, 1, 2], [3, 4, 5]]] * 2).startswith(b"\x89PNG")


def test_of_many_claims_the_gravest_are_shown_in_full_and_every_one_is_listed() -> None:
    found = [evidence("FAIL" if k % 9 == 0 else "PASS").to_json() for k in range(60)]
    text = page(*found)
    assert text.count('<details class="claim') == 12
    assert text.count('<p class="listed"') == 48
    assert text.count('<h2 id="claim-') == 12
    assert "the other 48 are listed only" in text
    assert text.index("test_54") < text.index("test_1<")


def test_without_a_report_matplotlib_is_not_imported() -> None:
    import subprocess

    code = "import sys, pytest_unlearn.plugin.session, pytest_unlearn.report.write; print('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_a_claim_that_is_better_than_asked_for_is_drawn_at_0_and_not_beyond_a_limit_of_others() -> None:
    better = evidence("PASS", -0.07, "utility", lowest=None, highest=0.02).to_json()
    book = Ledger()
    for k, one in enumerate((better, evidence("PASS", 0.49, lowest=0.45).to_json())):
        book.add(f"test_{k}", "passed", [one])
    ledger = book.freeze()
    made = pictures.overview(card(ledger, ABOUT).claims, ledger["entries"])
    assert made is not None
    marks = [float(x) for x in re.findall(r'<circle cx="([\d.]+)"', made.svg)][:2]
    (limits,) = re.findall(r'class="l limit" d="M([\d.]+) [^M]*M([\d.]+)', made.svg)
    assert all(float(limits[0]) < mark < float(limits[1]) for mark in marks)
    assert "-0.070" in str(made.rows)
