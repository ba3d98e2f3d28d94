"""pytest's short summary says verdict, claim and number, and an exception is called by its own name."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from tests.plugin.conftest import Suite

FAILING = """
from pytest_unlearn.testing.failures import raise_unless_all_proven, raise_unless_proven

def test_leaks(): raise_unless_proven(evidence("FAIL", 0.723, highest=0.6))
def test_over(): raise_unless_proven(evidence("FAIL", 0.31, lowest=0.4, highest=0.6))
def test_open(): raise_unless_proven(evidence("INCONCLUSIVE", 0.54))
def test_broken(): raise_unless_proven(evidence("INVALID", reasons=("the negative control fails",)))
def test_release():
    raise_unless_all_proven({"a": evidence("FAIL", 0.7), "b": evidence("INCONCLUSIVE", 0.54), "c": evidence("PASS")})
def test_other(): assert {"FAIL": 1} == {}
"""
SAID = {
    "test_leaks": "FAIL forgotten 0.723 > 0.6",
    "test_over": "FAIL forgotten 0.310 < 0.4",
    "test_open": "INCONCLUSIVE forgotten 0.540 [0.510, 0.570] vs at most 0.55",
    "test_broken": "INVALID forgotten: the negative control fails",
    "test_release": "FAIL forgotten 0.700 > 0.55 and 1 more",
    "test_other": "AssertionError: assert {'FAIL': 1} == {}",
}


@pytest.mark.parametrize("arguments", [(), ("-n2",)])
def test_the_short_summary_has_verdict_claim_and_number(suite: Suite, arguments: tuple[str, ...]) -> None:
    suite.write(test_it=FAILING)
    lines = [line for line in suite.run(*arguments).outlines if line.startswith("FAILED ")]
    assert sorted(lines) == sorted(f"FAILED test_it.py::{name} - {said}" for name, said in SAID.items())


@pytest.mark.parametrize("style", ["long", "short", "line", "native"])
def test_no_traceback_names_the_module_of_the_exception(suite: Suite, style: str) -> None:
    suite.write(test_it=FAILING)
    text = suite.run(f"--tb={style}").stdout.str()
    if style != "line":
        assert text.count("AuditFailure: FAIL: the forget set can be told apart in this model.") == 2
        assert "ReleaseFailure: FAIL: " in text
    assert "testing.failures" not in text


def test_junit_s_message_is_the_line_and_its_text_the_whole(suite: Suite) -> None:
    suite.write(test_it=FAILING)
    suite.run("--junitxml=junit.xml")
    cases = {case.get("name"): case for case in ElementTree.parse(suite.path / "junit.xml").iter("testcase")}
    failure = cases["test_leaks"].find("failure")
    assert failure is not None
    assert failure.get("message") == SAID["test_leaks"]
    assert "claim       membership AUC at most 0.6" in (failure.text or "")
