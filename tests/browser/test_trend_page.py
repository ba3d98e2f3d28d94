"""The page of a history in a real browser: it fits, nothing overlaps, and it asks nobody for anything."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import pytest

from pytest_unlearn.report import history, trend
from tests.browser.look import violations
from tests.browser.page import Browser
from tests.browser.test_report_page import CONTRAST
from tests.unit.report.test_history import ABOUT, ledger, provenance

VERDICTS = ("FAIL", "INCONCLUSIVE", "INVALID", "PASS", "PASS", "FAIL", "PASS")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trend") / "trend.html"
    records = [
        history.record(
            ledger(verdict, provenance=provenance(seed=k)),
            {**ABOUT, "created": f"2026-11-{k + 1:02}T10:00:00+00:00"},
            f"{k:012x}",
            "DO NOT RELEASE",
        )
        for k, verdict in enumerate(VERDICTS)
    ]
    path.write_text(trend.page(history.parse("\n".join(map(json.dumps, records)))[0]))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 768, 1280])
def test_it_fits_loads_nothing_and_can_be_read(browser: Browser, page: Path, width: int, dark: bool) -> None:
    browser.open(page, width, dark=dark)
    assert browser.console() == []
    requests = browser.requests()
    assert page.as_uri() in requests  # what is asked for is seen
    assert [url for url in requests if not url.startswith(("data:", page.as_uri()))] == []
    assert browser.ask("document.documentElement.scrollWidth") <= width
    contrasts = browser.ask(CONTRAST)
    assert len(contrasts) > 40
    assert [row for row in contrasts if row[0] < 4.5] == []
    boxes = browser.ask(
        "[...document.querySelectorAll('svg')].map(s => [s, ...s.querySelectorAll('text')].map(e => "
        "{const b = e.getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom]}))"
    )
    assert len(boxes) == 1
    for whole, *texts in boxes:
        assert len(texts) == 4
        assert min(bottom - top for _, top, _, bottom in texts) >= 11
        for left, top, right, bottom in texts:
            assert whole[0] <= left < right <= whole[2] + 0.5
            assert whole[1] <= top < bottom <= whole[3] + 0.5
        for one, other in combinations(texts, 2):
            apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
            assert apart


@pytest.mark.slow
def test_paper_is_white_and_every_verdict_has_a_mark_of_its_own(browser: Browser, page: Path) -> None:
    browser.open(page, dark=True, media="print")
    assert browser.ask("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.ask("document.querySelectorAll('svg polygon').length") == 4
    assert browser.ask("document.querySelectorAll('svg circle').length") == 3


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_nothing(browser: Browser, page: Path, width: int, dark: bool) -> None:
    browser.open(page, width, dark=dark)
    browser.driver.execute_script("document.querySelectorAll('details').forEach(part => part.open = true)")
    assert violations(browser) == []
