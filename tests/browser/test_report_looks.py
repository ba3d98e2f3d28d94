"""The page measured: nothing cut off or on top of something, axe-core content, short, small and quick to make."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from pytest_unlearn.core.figures import Curves, Histograms, Intervals, Table
from pytest_unlearn.report import html
from tests.browser.look import FAULTS, UNFOLD, violations
from tests.browser.page import Browser
from tests.unit.report.prepared import ABOUT, RUNS, claim, run

pytestmark = pytest.mark.slow
SCREEN = 800  # high, and 1,280 wide
SIZES = [(360, False), (360, True), (768, False), (768, True), (1280, False), (1280, True)]


def figures() -> tuple[Any, ...]:
    """One figure of each kind, with names as long as real ones."""
    xs = tuple(k / 40 for k in range(1, 41))
    return (
        Curves(title="ROC curve, both axes logarithmic", caption="What is caught.", x_label="share of controls accused",
               y_label="share of forget set caught", logarithmic=True, diagonal=True,
               series={name: (xs, tuple(x**power for x in xs))
                       for name, power in (("unlearned", 0.9), ("original", 0.5), ("retrained", 1.0))}),
        Histograms(title="Scores", caption="How scores are distributed.", x_label="confidence residual",
                   edges=tuple(k / 24 - 0.5 for k in range(25)), sets=("forget set", "controls"),
                   panels=dict.fromkeys(("unlearned", "original", "retrained"), ((1 / 24,) * 24, (1 / 24,) * 24))),
        Intervals(title="Accuracy on each set", caption="Share of right answers.", x_label="share of right answers",
                  rows=tuple((f"{part}: {whose}", whose, 0.9, 0.85, 0.93) for part in ("forget", "retain", "controls")
                             for whose in ("unlearned", "original", "retrained"))),
        Table(title="Class by class", caption="AUC within each class.",
              columns=("class", "forget", "controls", "AUC", "low", "high"),
              rows=tuple((k, 30, 60, 0.5 + k / 100, 0.4, 0.65) for k in range(10))),
    )  # fmt: skip


ATTACKS = ("confidence residual", "margin residual", "confidence deviation", "modified entropy deviation", "label only",
           "most over-forgotten class", "update leakage", "RMIA", "entropy", "modified entropy",
           "confidence difference", "loss", "margin")  # fmt: skip


def rich(verdict: str, value: float, name: str = "forgotten") -> dict[str, Any]:
    """Evidence with as much in it as a real audit's has."""
    one = claim(
        verdict,
        value,
        name,
        figures=figures(),
        reasons=("recognisable: confidence residual is beyond the limit on the high side, with Holm's correction",) * 2,
    )
    estimate = one["estimate"]
    one["attacks"] = dict.fromkeys(ATTACKS, estimate)
    one["decided_by"], one["deciding"] = ATTACKS[0], list(ATTACKS[:2])
    control = one["controls"]["retrained"][0]
    one["controls"]["retrained"] = [
        {
            **control,
            "name": f"retrained {k}",
            "estimate": {**estimate, "value": 0.49 + k / 100, "low": 0.45, "high": 0.55},
        }
        for k in range(4)
    ]
    original = {**estimate, "value": 0.74, "low": 0.7, "high": 0.78}
    one["controls"]["original"] = {**one["controls"]["original"], "estimate": original}
    return one


def written(path: Path, claims: list[tuple[dict[str, Any], str]]) -> Path:
    ledger, about = run(*claims)
    path.write_text(html.render(ledger, about))
    return path


NAMES = ("forgotten", "utility", "features_forgotten", "no_residual", "not_relearnable", "leakage_reduced")


def many(count: int, verdicts: tuple[str, ...]) -> list[tuple[dict[str, Any], str]]:
    made = [rich(verdicts[k % len(verdicts)], 0.7 if verdicts[k % len(verdicts)] == "FAIL" else 0.5,
                 NAMES[k % len(NAMES)]) for k in range(count)]  # fmt: skip
    return [(one, "passed" if one["verdict"] == "PASS" else "failed") for one in made]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    claims = [(rich("FAIL", 0.7), "failed"), (rich("PASS", 0.01, "utility"), "passed")]
    return written(tmp_path_factory.mktemp("two") / "index.html", claims)


@pytest.fixture(scope="module")
def thirty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    verdicts = ("FAIL", "PASS", "INCONCLUSIVE", "INVALID", "PASS")
    return written(tmp_path_factory.mktemp("thirty") / "index.html", many(30, verdicts))


@pytest.mark.parametrize("which", ["two", "report"])
@pytest.mark.parametrize(("width", "dark"), SIZES)
def test_no_text_is_cut_off_or_lies_on_another_or_on_data(
    browser: Browser, request: pytest.FixtureRequest, which: str, width: int, dark: bool
) -> None:
    found = request.getfixturevalue(which)
    browser.open(found / "index.html" if found.is_dir() else found, width, dark=dark)
    assert browser.ask(FAULTS) == []
    assert browser.ask(UNFOLD) > 10
    assert browser.ask("document.querySelectorAll('svg text').length") > 60
    assert browser.ask(FAULTS) == []


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_nor_on_paper(browser: Browser, two: Path, width: int) -> None:
    browser.open(two, width, media="print")
    browser.ask("dispatchEvent(new Event('beforeprint'))")
    assert browser.ask(FAULTS) == []


@pytest.mark.parametrize(("width", "dark"), SIZES)
def test_axe_finds_nothing(browser: Browser, two: Path, width: int, dark: bool) -> None:
    browser.open(two, width, dark=dark)
    assert violations(browser) == []
    browser.ask(UNFOLD)
    assert violations(browser) == []


def test_axe_finds_a_fault_where_there_is_one(browser: Browser, two: Path) -> None:
    browser.open(two)
    browser.driver.execute_script(
        "const svg = document.querySelector('svg'); svg.removeAttribute('aria-labelledby');"
        "svg.querySelectorAll('title, desc').forEach(e => e.remove())"
    )
    assert [name for name, _ in violations(browser)] == ["svg-img-alt"]


def test_the_measure_finds_what_is_wrong(browser: Browser, two: Path) -> None:
    browser.open(two)
    browser.driver.execute_script(
        "const [one, two] = document.querySelectorAll('svg text');"
        "for (const name of ['x', 'y']) two.setAttribute(name, one.getAttribute(name));"
        "const mark = document.querySelector('svg circle'), text = document.querySelectorAll('svg text')[2];"
        "mark.setAttribute('cx', +text.getAttribute('x') + 9); mark.setAttribute('cy', text.getAttribute('y') - 4);"
        "document.querySelector('h1').style.cssText = 'width: 3rem; white-space: nowrap; overflow: hidden'"
    )
    assert {fault[0] for fault in browser.ask(FAULTS)} >= {"on each other", "on data", "cut off"}


def screens(browser: Browser, page: Path) -> float:
    """How many screens a page takes, of 1,280 by 800."""
    browser.open(page, 1280)
    return float(browser.ask("document.documentElement.scrollHeight")) / SCREEN


def test_two_claims_take_two_screens_and_thirty_ten(browser: Browser, two: Path, thirty: Path, tmp_path: Path) -> None:
    assert screens(browser, two) <= 2
    both = written(tmp_path / "both.html", [(rich("FAIL", 0.7), "failed"), (rich("INVALID", 0.5, "utility"), "failed")])
    assert screens(browser, both) <= 2
    unsettled = [(rich("INCONCLUSIVE", 0.53), "failed"), (rich("INCONCLUSIVE", 0.04, "utility"), "failed")]
    assert screens(browser, written(tmp_path / "unsettled.html", unsettled)) <= 2
    assert screens(browser, thirty) <= 10
    assert screens(browser, written(tmp_path / "bad.html", many(30, ("FAIL", "INVALID", "INCONCLUSIVE")))) <= 10


@pytest.mark.parametrize("real", [False, True])
def test_thirty_claims_are_small_and_quick_to_render(report: Path, real: bool) -> None:
    found = json.loads((report / "report.json").read_text())["claims"]
    claims = [(one["evidence"], one["outcome"]) for one in found]
    ledger, about = run(*(claims * 30)[:30] if real else many(30, ("FAIL", "PASS", "INCONCLUSIVE")))
    html.render(*run())  # the template is compiled once
    start = time.process_time()
    page = html.render(ledger, about)
    assert time.process_time() - start < 3
    assert len(page.encode()) < 800_000
    assert page.count("<svg") > 30 * 5


def test_without_a_script_all_is_there_and_with_one_it_can_be_filtered_and_folded(
    browser: Browser, thirty: Path
) -> None:
    visible = "[...document.querySelectorAll('.claim')].filter(e => e.checkVisibility()).length"
    browser.open(thirty, js=False)
    assert len(browser.driver.find_elements("css selector", ".claim")) == 30
    assert not browser.driver.find_element("css selector", ".tools").is_displayed()
    browser.open(thirty)
    assert browser.ask(visible) == 30
    buttons = {one.text: one for one in browser.driver.find_elements("css selector", ".tools button")}
    assert {"all", "FAIL", "PASS", "Unfold all", "Fold all"} <= set(buttons)
    buttons["FAIL"].click()
    assert browser.ask(visible) == 6
    buttons["all"].click()
    buttons["Fold all"].click()
    assert browser.ask("document.querySelectorAll('.claim[open]').length") == 0
    buttons["Unfold all"].click()
    assert browser.ask("document.querySelectorAll('.claim[open]').length") == 30
    browser.ask("document.querySelector('.contents').open = true")
    assert len(browser.driver.find_elements("css selector", ".contents a")) == 34
    assert browser.ask(
        "[...document.querySelectorAll('a[href^=\"#\"]')].every(a => document.getElementById(a.hash.slice(1)))"
    )


def test_a_link_to_a_claim_unfolds_it(browser: Browser, thirty: Path) -> None:
    browser.open(thirty)
    assert not browser.ask("document.getElementById('claim-28').open")
    browser.driver.execute_script("location.hash = 'claim-28'")
    browser.driver.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    assert browser.ask("document.getElementById('claim-28').open")


def test_what_passed_is_folded_and_printing_unfolds_it_but_not_its_provenance(browser: Browser, two: Path) -> None:
    browser.open(two)
    folded = "[...document.querySelectorAll('.claim:not([open])')].map(e => e.dataset.verdict)"
    assert browser.ask(folded) == ["PASS"]
    browser.driver.execute_script("dispatchEvent(new Event('beforeprint'))")
    assert browser.ask(folded) == []
    assert browser.ask("document.querySelectorAll('details:not(.printed)[open]').length") == 0
    browser.driver.execute_script("dispatchEvent(new Event('afterprint'))")
    assert browser.ask(folded) == ["PASS"]


@pytest.mark.parametrize("name", list(RUNS))
def test_every_decision_fits_the_first_screen(browser: Browser, tmp_path: Path, name: str) -> None:
    page = tmp_path / "index.html"
    page.write_text(html.render(RUNS[name].ledger, RUNS[name].about))
    browser.open(page, 1280)
    assert browser.ask("document.querySelector('.card').getBoundingClientRect().bottom") <= SCREEN
    assert browser.ask(FAULTS) == []
    assert ABOUT["identity"]["request"] in browser.driver.find_element("css selector", ".card").text


def test_every_picture_has_a_title_a_description_and_a_table(browser: Browser, two: Path) -> None:
    browser.open(two)
    bare = browser.ask(
        "[...document.querySelectorAll('svg')].filter(s => !(s.querySelector('title').textContent && "
        "document.getElementById(s.getAttribute('aria-labelledby').split(' ')[1]).textContent.length > 8 && "
        "(s.closest('figure').querySelector('table') || "
        "s.closest('figure').nextElementSibling.matches('.scroll')))).length"
    )
    assert bare == 0
    assert browser.ask("document.querySelectorAll('svg').length") > 10
