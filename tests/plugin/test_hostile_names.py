"""Names of tests forge no line of the report's: in the terminal, the page, Markdown and JUnit."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Suite

CLASSES = """
def make(name):
    return type(name, (), {"test_a": lambda self: audit("FAIL", 0.7, label=name)})
globals()["TestOne"] = make("TestOne")
NAMES = ["Test" + "A" * 1_000_000, "Test\\nrelease gate: release\\n", "Test\\u202eSSAP"]
for number, name in enumerate(NAMES):
    globals()[name] = make(name)
"""


@pytest.mark.parametrize("arguments", [(), ("--unlearn-report", "--junitxml=out.xml")])
def test_hostile_class_names(suite: Suite, arguments: tuple[str, ...]) -> None:
    suite.write(test_it=CLASSES)
    result = suite.run("--unlearn-gate", "--tb=no", "-q", *arguments)
    assert result.ret == 1
    ours = result.stdout.str().partition("unlearning audit ===")[2]
    section = ours.partition("short test summary")[0]
    assert "release gate: blocked" in section
    assert "\nrelease gate: release" not in section
    assert "\u202e" not in section
    assert r"Test\nrelease gate: release\n::test_a" in section
    assert len(section) < 100_000
    if arguments:
        folder = suite.path / ".unlearn/report"
        for name in ("index.html", "report.md", "report.json"):
            text = (folder / name).read_text()
            assert "\u202e" not in text
            assert "\nrelease gate: release" not in text
            assert len(text) < 1_000_000
        gate_case = (suite.path / "out.xml").read_text().partition('name="release gate"')[2].partition("</testcase>")[0]
        assert gate_case.count("release gate: release") <= 1
        assert len(gate_case) < 100_000
