"""index.html as its readers meet it: on a telephone, a desk, paper, in the dark, by keyboard and by ear."""

from __future__ import annotations

import io
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

from pytest_unlearn.report import wording as words
from tests.browser.look import UNFOLD
from tests.browser.page import Browser

SCREENSHOTS = Path(__file__).parents[2] / ".unlearn/screenshots"


pytestmark = pytest.mark.slow  # a whole audit, and a browser


@pytest.fixture(scope="module")
def page(report: Path) -> Path:
    return report / "index.html"


@pytest.fixture(scope="module")
def document(report: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((report / "report.json").read_text())
    return found


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 768, 1280])
def test_it_loads_nothing_complains_of_nothing_and_fits_the_screen(
    browser: Browser, page: Path, width: int, dark: bool
) -> None:
    browser.open(page, width, dark=dark)
    assert browser.console() == []
    assert [url for url in browser.requests() if not url.startswith(("data:", page.as_uri()))] == []
    assert browser.ask("document.documentElement.scrollWidth") <= width
    browser.picture(SCREENSHOTS / f"report-{width}-{'dark' if dark else 'light'}.png")


@pytest.mark.parametrize("width", [360, 1280])
def test_every_plot_is_visible(browser: Browser, page: Path, document: dict[str, Any], width: int) -> None:
    browser.open(page, width)
    browser.ask(UNFOLD)
    drawn = {"curves", "histograms", "intervals"}
    expected = sum(
        1 + sum(exhibit["kind"] in drawn for exhibit in claim["evidence"]["exhibits"]) for claim in document["claims"]
    )
    boxes = browser.ask(
        "[...document.querySelectorAll('figure svg')].map(e => {const b = e.getBoundingClientRect();"
        "return [b.x, b.width, b.height, e.querySelectorAll('polyline, path, circle, rect').length]})"
    )
    assert len(boxes) > expected > 10  # some tables have pictures beside them
    for left, across, down, marks in boxes:
        assert left >= 0
        assert left + across <= width
        assert across >= 250
        assert down >= 50
        assert marks >= 4
    for plot in browser.driver.find_elements("css selector", "figure svg")[:6]:
        pixels = imread(io.BytesIO(plot.screenshot_as_png))[..., :3]
        colours = np.unique((pixels.reshape(-1, 3) * 255).astype(int), axis=0)
        assert len(colours) > 12  # ink, lines in several colours, and their soft edges


def test_text_in_plots_is_large_enough_on_a_telephone(browser: Browser, page: Path) -> None:
    browser.open(page, 360)
    browser.ask(UNFOLD)
    heights = browser.ask("[...document.querySelectorAll('svg text')].map(t => t.getBoundingClientRect().height)")
    assert min(heights) >= 9


def test_every_claim_is_told_without_javascript(browser: Browser, page: Path, document: dict[str, Any]) -> None:
    browser.open(page, js=False)
    for part in browser.driver.find_elements("css selector", "details:not([open]) > summary"):
        if part.is_displayed():  # a reader's click, which needs no script
            part.click()
    text = " ".join(browser.driver.find_element("tag name", "body").get_attribute("textContent").split())
    for claim in document["claims"]:
        assert claim["nodeid"] in text
        assert claim["evidence"]["claim"]["text"] in text
        assert words.sentence(claim) in text
        assert all(" ".join(reason.split()) in text for reason in claim["evidence"]["reasons"])
    for reason in document["gate"]["reasons"]:
        assert " ".join(reason.split()) in text
    assert words.THREAT_MODEL in text
    assert text.index("DO NOT RELEASE") < text.index("What each claim rests on")


def test_a_planted_script_is_shown_as_text(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.ask(UNFOLD)
    text = browser.driver.find_element("tag name", "body").text
    assert "test_request_is_forgotten[<script>document.title='owned'</script>]" in text
    assert "(</text></svg><script>document.title='owned'</script><img src=x onerror=alert(1)>)" in text
    assert browser.ask("document.title").startswith("Unlearning audit: DO NOT RELEASE")
    assert browser.ask("document.scripts.length") == 1  # our own, named by its digest in the page's policy
    assert browser.ask("document.querySelectorAll('img:not([src^=data])').length") == 0


def test_only_the_images_that_were_asked_for_are_in_it(browser: Browser, page: Path, report: Path) -> None:
    browser.open(page)
    images = browser.ask("[...document.images].map(i => [i.naturalWidth, i.alt])")
    assert len(images) == 5
    assert all(width == 8 and alt.startswith("forget example ") for width, alt in images)
    others = [path for path in report.iterdir() if path.name != "index.html"]
    assert not any("pixels" in path.read_text() for path in others)


def test_a_screen_reader_is_told_the_headings_in_order_and_every_plot(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.ask(UNFOLD)
    levels = browser.ask("[...document.querySelectorAll('h1,h2,h3')].map(h => +h.tagName[1])")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    outline = browser.outline()
    plots = [name for role, name in outline if role in ("image", "img") and not name.startswith("forget example")]
    assert len(plots) == browser.ask("document.querySelectorAll('figure').length")
    assert all(len(name) > 20 for name in plots)
    assert {"main", "banner", "contentinfo"} <= {role for role, _ in outline}
    ids = browser.ask("[...document.querySelectorAll('[id]')].filter(e => !e.closest('svg')).map(e => e.id)")
    assert len(ids) == len(set(ids))
    assert browser.ask("document.documentElement.lang") == "en"


def test_the_keyboard_reaches_the_claims_and_every_wide_table(browser: Browser, page: Path) -> None:
    browser.open(page, 360)
    browser.driver.find_element("tag name", "body").send_keys("\ue004")  # Tab
    assert browser.ask("document.activeElement.className") == "skip"
    assert browser.ask("document.activeElement.getBoundingClientRect().left") >= 0
    targets = browser.ask("[...document.querySelectorAll('a[href^=\"#\"]')].map(a => a.getAttribute('href').slice(1))")
    assert all(browser.ask(f"document.getElementById('{target}') !== null") for target in targets)
    unreachable = browser.ask(
        "[...document.querySelectorAll('.scroll')].filter(e => e.tabIndex !== 0 || !e.ariaLabel).length"
    )
    assert unreachable == 0


CONTRAST = """(() => {
  const parse = c => c.match(/[\\d.]+/g).map(Number);
  const light = c => {const [r, g, b] = parse(c).slice(0, 3).map(v => v / 255)
    .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b};
  const ratio = (a, b) => {const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + .05) / (y + .05)};
  const paper = getComputedStyle(document.body).backgroundColor;
  return [...document.querySelectorAll('p, li, th, td, b, a:not(.skip), figcaption, svg text, footer p')]
    .filter(e => e.checkVisibility()).map(e => {
    const style = getComputedStyle(e);
    return [ratio(e instanceof SVGElement ? style.fill : style.color, paper), e.tagName, e.className.toString()]})
})()"""


@pytest.mark.parametrize("dark", [False, True])
def test_text_stands_out_from_the_paper(browser: Browser, page: Path, dark: bool) -> None:
    browser.open(page, dark=dark)
    browser.ask(UNFOLD)
    found = browser.ask(CONTRAST)
    assert len(found) > 200
    assert [row for row in found if row[0] < 4.5] == []
    red = int(browser.ask("getComputedStyle(document.body).backgroundColor").split("(")[1].split(",")[0])
    assert (red < 60) == dark


def test_paper_is_white_whatever_the_screen(browser: Browser, page: Path) -> None:
    browser.open(page, dark=True, media="print")
    assert browser.ask("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.ask("getComputedStyle(document.querySelector('.scroll')).overflow") == "visible"
    assert browser.printed().startswith(b"%PDF")


def test_no_verdict_is_told_by_colour_alone(browser: Browser, page: Path) -> None:
    browser.open(page)
    badges = set(browser.ask("[...document.querySelectorAll('.claim h2 b')].map(b => b.textContent)"))
    assert badges == {"✓ PASS", "✗ FAIL", "? INCONCLUSIVE", "! INVALID"}
