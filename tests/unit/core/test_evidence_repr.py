"""Evidence in a notebook shows itself: a page of text, and HTML that is safe on light and on dark ground."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from pytest_unlearn import Evidence, audit_forgotten
from pytest_unlearn.core.notebook import GROUNDS, MOST_LINES
from pytest_unlearn.core.wording import explain
from pytest_unlearn.testing.failures import AuditFailure
from tests.evidences import evidence

VERDICTS = ["PASS", "FAIL", "INCONCLUSIVE", "INVALID"]
HOSTILE = "<script>alert(1)</script>&\"'\x1b[2K\u202e"


class Elements(HTMLParser):
    """Checks that elements nest, and collects the names, the attributes and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag != "br":
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += f"{data} "


@pytest.fixture(scope="module")
def audited() -> Evidence:
    """An audit of a model that still knows all of its training data."""
    images, digits = load_digits(return_X_y=True)
    model = LogisticRegression(C=100, max_iter=300).fit(images[:300], digits[:300])
    others = [LogisticRegression(C=100, max_iter=300).fit(images[k::4][:300], digits[k::4][:300]) for k in (1, 2)]
    forget = (images[:100], digits[:100])
    held_out = (images[1200:], digits[1200:])
    return audit_forgotten(model, forget, nonmembers=held_out, baseline=model, references=others)


def test_printing_evidence_gives_the_text_of_a_failing_test(audited: Evidence) -> None:
    text = explain(audited.to_json())
    assert repr(audited) == str(audited) == f"{audited}" == text == str(AuditFailure(audited))
    assert len(text.splitlines()) <= MOST_LINES
    assert text.startswith(f"{audited.verdict}")


def test_a_real_audit_prints_a_page_where_it_printed_ten(audited: Evidence) -> None:
    fields = "".join(f"{name}={getattr(audited, name)!r}, " for name in ("claim", "attacks", "provenance", "figures"))
    assert len(fields) > 9_000 > len(repr(audited))


@pytest.mark.parametrize("verdict", VERDICTS)
def test_every_verdict_prints_and_shows_itself(verdict: str) -> None:
    one = evidence(verdict, label="recognisable", advice=("unlearn longer",), needed=900)
    shown = Elements(one._repr_html_())
    for words in (verdict, "recognisable", "a reason", "unlearn longer", "0.500 [0.470, 0.530]", "400 forget examples"):
        assert words in repr(one)
        assert words in shown.text
    assert "about 900 forget examples would settle it" in shown.text


def test_a_page_is_never_longer_than_forty_lines_and_says_what_it_leaves_out() -> None:
    lines = repr(evidence("INVALID", reasons=tuple(f"reason {k}" for k in range(100)))).splitlines()
    assert len(lines) == MOST_LINES
    assert "more lines" in lines[-1]


def test_html_is_self_contained_and_leaves_ground_and_text_to_the_notebook(audited: Evidence) -> None:
    page = audited._repr_html_()
    shown = Elements(page)
    assert set(shown.names) <= {"div", "p", "span", "table", "tr", "th", "td", "br"}
    assert shown.attributes == {"style", "scope"}
    assert "http" not in page
    assert "url(" not in page
    assert set(re.findall(r"background:([^;\"]+)", page)) == {"transparent", GROUNDS[audited.verdict.value]}
    assert set(re.findall(r"[; \"]color:([^;\"]+)", page)) == {"inherit", "#fff"}


def test_whatever_anyone_may_have_written_is_escaped() -> None:
    one = evidence("FAIL", label=HOSTILE, reasons=(HOSTILE,), advice=(HOSTILE,), name=HOSTILE, decided_by=HOSTILE)
    page = one._repr_html_()
    assert set(Elements(page).names) <= {"div", "p", "span", "table", "tr", "th", "td", "br"}
    assert "alert(1)" in page
    assert "<script" not in page
    for text in (page, repr(one)):
        assert "\x1b" not in text
        assert "\u202e" not in text


def test_a_number_that_is_none_is_shown_as_such() -> None:
    one = evidence("INVALID", value=float("nan"))
    assert "n/a" in repr(one)
    assert "n/a" in one._repr_html_()


def test_pictures_and_scores_are_not_what_printing_waits_for() -> None:
    big = {"kind": "attacks", "arrays": np.zeros((500, 4000))}
    assert repr(evidence(scores=big)) == repr(evidence())
