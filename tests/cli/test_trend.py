"""`trend`: every run of a history, in text and on a page that needs nothing else."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from pytest_unlearn.report import history
from tests.cli.conftest import Run
from tests.unit.report.test_history import ABOUT, BETTER, ledger, provenance


def line(found: dict[str, Any], number: int, decision: str = "NOT DECIDED") -> str:
    about = {**ABOUT, "created": f"2026-11-{number:02}T10:00:00+00:00"}
    return json.dumps(history.record(found, about, f"{number:012x}", decision))


@pytest.fixture
def past(tmp_path: Path) -> Path:
    """A history of three runs, and half a line."""
    lines = [line(ledger("FAIL"), 1), line(ledger("INCONCLUSIVE", "PASS"), 2), line(BETTER, 3, "DO NOT RELEASE"), "{"]
    (tmp_path / "history.jsonl").write_text("\n".join(lines))
    return tmp_path / "history.jsonl"


def test_every_run_and_every_claim_is_told(run: Run, past: Path) -> None:
    done = run("trend", past)
    assert done.status == 0
    assert done.out.startswith("3 runs, and 1 line that cannot be read\n")
    assert "2026-11-01 10:00  000000000001  5eed5eed5eed  NOT DECIDED     1 FAIL" in done.out
    assert "2026-11-03 10:00  000000000003  5eed5eed5eed  DO NOT RELEASE  1 PASS" in done.out
    assert "forgotten in test_it.py::test_0, request a-request" in done.out
    assert "  2026-11-01  5eed5eed5eed  FAIL          0.700 [0.670, 0.730], at most 0.55, seed 0" in done.out
    assert "  2026-11-03  5eed5eed5eed  PASS          0.500 [0.470, 0.530], at most 0.55, seed 7" in done.out


def test_a_run_that_failed_beside_its_gate_is_no_plain_release(run: Run, tmp_path: Path) -> None:
    found = json.loads(line(BETTER, 1, "RELEASE"))
    (tmp_path / "history.jsonl").write_text(
        f"{json.dumps(found)}\n{json.dumps({**found, 'failed': ['log', 'report']})}\n"
    )
    done = run("trend", tmp_path / "history.jsonl")
    assert done.out.startswith("1 run\n")
    run("trend", tmp_path / "history.jsonl", "--html", tmp_path / "trend.html")
    for text in (done.out, (tmp_path / "trend.html").read_text()):
        assert "RELEASE, but the run failed: log, report" in text


class Page(HTMLParser):
    """Tags that are open, and every address and name on the page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.open += [] if tag in ("meta", "line", "circle", "polygon") else [tag]

    def handle_endtag(self, tag: str) -> None:
        if self.open and self.open[-1] == tag:
            self.open.pop()


def test_the_page_is_whole_and_asks_nobody_for_anything(run: Run, past: Path, tmp_path: Path) -> None:
    done = run("trend", past, "--html", tmp_path / "trend.html")
    assert done.status == 0
    text = (tmp_path / "trend.html").read_text()
    page = Page(text)
    assert not page.open
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in page.tags}
    assert not re.search(r"https?:|url\(|@import", text)
    pictures = [attrs for tag, attrs in page.tags if tag == "svg"]
    assert len(pictures) == 2
    for attrs in pictures:
        for name in (attrs["aria-labelledby"] or "").split():
            assert any(attributes.get("id") == name for _, attributes in page.tags)
    for mark in ("■ FAIL", "▲ INCONCLUSIVE", "● PASS"):  # not by colour alone
        assert mark in text


def test_what_stands_in_a_history_is_text_on_the_page(run: Run, tmp_path: Path) -> None:
    document = json.loads(line(ledger("FAIL"), 1))
    document["claims"][0]["test"] = "<script>alert(1)</script>\x1b[2J"
    document["decision"] = "<b>RELEASE</b>"
    (tmp_path / "history.jsonl").write_text(json.dumps(document))
    run("trend", tmp_path / "history.jsonl", "--html", tmp_path / "trend.html")
    text = (tmp_path / "trend.html").read_text()
    assert "<script>" not in text
    assert "<b>" not in text
    assert "\x1b" not in text + run("trend", tmp_path / "history.jsonl").out


def test_claims_without_numbers_or_limits_do_not_stop_it(run: Run, tmp_path: Path) -> None:
    found = ledger("INVALID")
    for name in ("value", "low", "high"):
        found["entries"][0]["evidence"]["estimate"][name] = None
    unlimited = ledger("PASS", name="other")
    unlimited["entries"][0]["evidence"]["claim"] |= {"highest": None}
    (tmp_path / "h.jsonl").write_text("\n".join([line(found, 1), line(unlimited, 2), line(unlimited, 3)]))
    assert "INVALID       no finite estimate, at most 0.55" in run("trend", tmp_path / "h.jsonl").out
    assert run("trend", tmp_path / "h.jsonl", "--html", tmp_path / "t.html").status == 0
    assert "None of these runs has a finite estimate." in (tmp_path / "t.html").read_text()


@pytest.mark.parametrize("content", [None, "", "no history\n", "folder"])
def test_what_is_no_history_is_refused(run: Run, tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "history.jsonl"
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_text(content)
    assert run("trend", path).status == 2


@pytest.mark.slow
def test_a_history_of_years_stays_small(run: Run, tmp_path: Path) -> None:
    many = [line(ledger("PASS", provenance=provenance(seed=k)), 1 + k % 28) for k in range(1500)]
    (tmp_path / "h.jsonl").write_text("\n".join(many))
    assert run("trend", tmp_path / "h.jsonl", "--html", tmp_path / "t.html").status == 0
    assert (tmp_path / "t.html").stat().st_size < 100_000
