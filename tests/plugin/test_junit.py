"""--junitxml: the gate is a test case like any other, and properties are added only when asked for."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from tests.plugin.conftest import Suite

SUITE = """
import numpy as np
def test_a(): audit("PASS", np.float32(0.5))
def test_b(): audit("FAIL", 0.0, name="utility", highest=None, lowest=0.02)
@pytest.fixture
def late():
    yield
    audit()
def test_c(late): pass
"""


def cases(suite: Suite) -> dict[str, ElementTree.Element]:
    """The test cases of the written file by name."""
    root = ElementTree.parse(suite.path / "junit.xml").getroot()
    return {case.attrib["name"]: case for case in root.iter("testcase")}


def properties(case: ElementTree.Element) -> list[tuple[str, str]]:
    """A test case's properties in order."""
    return [(found.attrib["name"], found.attrib["value"]) for found in case.iter("property")]


@pytest.mark.parametrize("arguments", [(), ("-n2",)])
def test_properties_when_asked_for(suite: Suite, arguments: tuple[str, ...]) -> None:
    suite.ini("unlearn_junit_properties = true")
    suite.write(test_it=SUITE)
    assert suite.run("--junitxml=junit.xml", "--unlearn-gate", *arguments).ret == pytest.ExitCode.TESTS_FAILED
    names = [f"unlearn.forgotten.{name}" for name in ("verdict", "value", "low", "high", "limit")]
    found = properties(cases(suite)["test_a"])
    assert [name for name, _ in found] == names
    assert found[0][1] == "PASS"
    assert [float(value) for _, value in found[1:]] == pytest.approx([0.5, 0.47, 0.53, 0.55])
    assert dict(properties(cases(suite)["test_b"]))["unlearn.utility.limit"] == "0.02"
    assert [name for name, _ in properties(cases(suite)["test_c"])] == names  # once, although from a teardown
    assert "utility, which is not required, is FAIL" in (cases(suite)["release-gate"].find("failure").text or "")  # type: ignore[union-attr]


def test_no_properties_otherwise(suite: Suite) -> None:
    suite.write(test_it=SUITE)
    suite.run("--junitxml=junit.xml")
    assert "<propert" not in (suite.path / "junit.xml").read_text()


def test_a_blocking_gate_is_a_failed_test_case(suite: Suite) -> None:
    suite.write(test_it="def test_a(): pass")
    suite.run("--junitxml=junit.xml", "--unlearn-gate")
    failure = cases(suite)["release-gate"].find("failure")
    assert failure is not None
    assert "no evidence for the required claim 'forgotten'" in (failure.text or "")
    assert cases(suite)["test_a"].find("failure") is None
