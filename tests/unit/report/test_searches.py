"""A search in every renderer: what was tried by family, the worst of it before and after, the line that replays it."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pytest_unlearn import ForgetRequest
from pytest_unlearn.core.evidence import Estimate
from pytest_unlearn.core.recorder import Recorder
from pytest_unlearn.report import html, markdown, terminal
from pytest_unlearn.report import json as as_json
from pytest_unlearn.report import wording as words
from pytest_unlearn.report.environment import facts
from pytest_unlearn.report.ledger import Ledger
from pytest_unlearn.search.confirmation import Attempt
from pytest_unlearn.search.screening import RequestResult
from pytest_unlearn.search.survives import replay as line_of
from pytest_unlearn.search.verdict import Search, verdict_of
from tests.evidences import evidence
from tests.unit.report.test_renderers import SCHEMA

PARTS = (ForgetRequest("class-fraction", size=90, label=7), ForgetRequest("near-duplicates", size=90, space="features"))
LARGE, SMALL = ForgetRequest("sequence", parts=PARTS), ForgetRequest("random", size=12, seed=3)
replay = partial(line_of, given={})
REPLAY = f"audit_request(unlearner, task, {SMALL!r})"
ABOUT = facts([], Path("/somewhere"))


def result(request: ForgetRequest, examples: int, value: float, *, suspicious: bool = False) -> RequestResult:
    """One result, as a search leaves it."""
    estimate = Estimate(
        value=value, low=value - 0.04, high=value + 0.04, confidence=0.95, method="placements", n_forget=examples
    )
    return RequestResult(request, examples, suspicious, True, "margin residual", estimate, value - 0.54)


def frozen(found: Search) -> dict[str, Any]:
    """The ledger of a run with this search."""
    recorder = Recorder()
    recorder.add(verdict_of(found, sources={}, confidence=0.95, replay=replay).to_json())
    book = Ledger()
    failed = found.failure is not None
    book.add("test_it.py::test_any_request", "failed" if failed else "passed", recorder.drain())
    return book.freeze()


QUIET = Attempt(result(ForgetRequest("random", size=90), 90, 0.51))
FAILING = Search(
    (QUIET, Attempt(result(LARGE, 175, 0.7, suspicious=True), fails=True)),
    shrinking=9,
    failure=Attempt(result(SMALL, 12, 0.95, suspicious=True), evidence=evidence("FAIL", 0.93), fails=True),
)


@pytest.fixture(scope="module")
def failing() -> dict[str, Any]:
    """The ledger of a run whose search found something."""
    return frozen(FAILING)


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_terminal_shows_families_stages_and_an_unbroken_line_to_replay(failing: dict[str, Any], width: int) -> None:
    text = [line for line, _ in terminal.lines(failing, width, ABOUT)]
    whole = " ".join(" ".join(text).split())
    assert "at most 0 (a request fails)" in whole
    assert "1 of 2 vs" in whole
    assert "2 requests searched, 1 suspicious, 1 confirmed" in whole
    assert "by family: random 1, sequence 1 (1 suspicious)" in whole
    assert "searched: 0.700 [0.660, 0.740] on 175 examples" in whole
    assert "made smaller: 0.950 [0.910, 0.990] on 12 examples" in whole
    assert "confirmed: 0.930 [0.900, 0.960] on 12 examples" in whole
    assert f"  replay: {REPLAY}" in text  # to be copied: not wrapped at any width


def test_the_page_shows_the_same(failing: dict[str, Any]) -> None:
    page = html.render(failing, ABOUT)
    assert "There is a deletion request that the method fails on: 1 of 2 requests confirmed to fail" in page
    for title in ("Requests by family", "The worst request"):
        assert title in page
    assert "sequence" in page
    assert REPLAY.replace("'", "&#39;") in page


def test_the_text_for_pull_requests_has_the_line_too(failing: dict[str, Any]) -> None:
    assert f"* replay: {REPLAY}" in markdown.render(failing, ABOUT)


def test_the_report_follows_its_schema(failing: dict[str, Any]) -> None:
    jsonschema.validate(json.loads(as_json.render(failing, ABOUT)), SCHEMA)


def test_a_search_that_found_nothing_counts_none() -> None:
    passing = frozen(Search((QUIET, QUIET)))
    (entry,) = passing["entries"]
    assert words.sentence(entry) == (
        "Of the requests that were tried, none was confirmed to fail: "
        "0 of 2 requests confirmed to fail; at most 0 is allowed."
    )
    assert not any("replay" in line for line, _ in terminal.lines(passing, 80, ABOUT))


def test_a_suspicion_that_was_not_confirmed_is_told() -> None:
    suspicion = Attempt(result(SMALL, 12, 0.7, suspicious=True), rejected="PASS")
    says = verdict_of(Search((suspicion,)), sources={}, confidence=0.95, replay=replay).reasons
    assert f"{SMALL!r} was not confirmed: PASS" in says
