"""One section at the end: what was planned, what ran and what came of it, then a line for each claim."""

from __future__ import annotations

import re

import pytest

from tests.plugin.conftest import Suite

MIXED = """
def test_a(): audit("PASS")
def test_b(): audit("FAIL", 0.62)
def test_c(): audit("INCONCLUSIVE", 0.54)
def test_d(): audit("INVALID")
def test_e():
    audit("PASS")
    audit("PASS", -0.02, name="utility", highest=0.02)
@pytest.mark.unlearn
def test_f(): pytest.skip()
def test_plain(): pass
"""


@pytest.mark.parametrize("arguments", [(), ("-n2",)])
def test_counts_and_one_line_a_claim(suite: Suite, arguments: tuple[str, ...]) -> None:
    suite.write(test_release=MIXED)
    result = suite.run(*arguments)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "*- unlearning audit -*",
            "forgotten: FAIL  0.620*",
            "*= unlearning audit =*",
            "7 claims planned, 6 ran: 3 passed, 1 failed, 1 inconclusive, 1 invalid",
            "INVALID       forgotten  0.500*",
            "*test_d: This audit says nothing about it: a reason.",
            "FAIL          forgotten  0.620*",
            "*test_b: An attacker*at least 59 times in 100*",
            "INCONCLUSIVE  forgotten  0.540*",
            "*test_c: It is not known: *",
            "*A reason.",
            "PASS          forgotten  0.500 [[]0.470, 0.530[]] vs membership AUC at most 0.55",
            "*test_a: An attacker*at most 53 times in 100*",
            "PASS          forgotten*",
            "*test_e: *",
            "PASS          utility    -0.020*at most 0.02",
            "test_release.py::test_f is marked as an audit but ended without any evidence (skipped)",
        ]
    )
    for line in (  # pytest's own summary, whose order is that in which workers finish
        "FAILED *::test_b - FAIL forgotten 0.620 > 0.55",
        "FAILED *::test_c - INCONCLUSIVE forgotten 0.540 [[]0.510, 0.570[]] vs at most 0.55",
        "FAILED *::test_d - INVALID forgotten: a reason",
    ):
        result.stdout.fnmatch_lines([line])
    assert sum("unlearning audit =" in line for line in result.outlines) == 1  # workers print none


@pytest.mark.parametrize("arguments", [("-q", "-q"), ("--collect-only",), ("-k", "test_plain")])
def test_no_section_when_quiet_or_when_no_audit_ran(suite: Suite, arguments: tuple[str, ...]) -> None:
    suite.write(test_release="def test_plain(): pass\ndef test_a(): audit()\n")
    result = suite.run(*arguments)
    assert result.ret == 0
    result.stdout.no_fnmatch_line("*unlearning audit*")
    assert not (suite.path / ".unlearn/report").exists()


def test_it_is_there_with_one_q(suite: Suite) -> None:
    suite.write(test_release="def test_a(): audit()")
    suite.run("-q").stdout.fnmatch_lines(["1 claim planned, 1 ran: *"])


@pytest.mark.parametrize("width", [40, 60, 90])
def test_lines_respect_the_terminal_width(suite: Suite, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    suite.write(test_release=MIXED + f"def test_{'very_' * 30}long(): audit()\n")
    lines = suite.run("--unlearn-gate", "-k", "not plain").outlines
    section = lines[next(n for n, line in enumerate(lines) if "unlearning audit =" in line) :]
    section = section[: next(n for n, line in enumerate(section) if line.startswith("release gate:"))]
    assert all(len(line) <= width for line in section)
    words = " ".join(" ".join(section).split())
    assert "8 claims planned, 7 ran: 4 passed, 1 failed, 1 inconclusive, 1 invalid" in words
    assert "0.620 [0.590, 0.650] vs" in words
    assert "at most 0.55" in words
    assert "partial run: 1 test was deselected" in words


def test_a_test_of_any_name_keeps_its_numbers(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "90")
    suite.write(test_release=f"def test_{'very_' * 30}long(): audit()\n")
    result = suite.run()
    at = next(number for number, line in enumerate(result.outlines) if line.startswith("PASS  "))
    assert result.outlines[at] == "PASS          forgotten  0.500 [0.470, 0.530] vs membership AUC at most 0.55"


@pytest.mark.slow
def test_colour_is_used_only_where_it_is_wanted(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    suite.write(test_release=MIXED)
    assert "\x1b[31mFAIL  " in suite.run("--color=yes").stdout.str()
    assert "\x1b" not in suite.run("--color=no").stdout.str()
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in suite.run().stdout.str()


def test_subtests_carry_their_evidence(suite: Suite) -> None:
    pytest.importorskip("_pytest.subtests")
    suite.write(
        test_release="""
        def test_many(subtests):
            for i in range(3):
                with subtests.test(i=i):
                    audit("PASS")
        """
    )
    suite.run().stdout.fnmatch_lines(["3 claims planned, 3 ran: 3 passed*"])


@pytest.mark.parametrize("arguments", [(), ("-n2",)])
def test_progress_ends_at_100_percent(suite: Suite, arguments: tuple[str, ...]) -> None:
    suite.write(test_it="def test_a(): audit()\ndef test_b(): pass")
    (suite.path / "file").touch()
    result = suite.run("--unlearn-gate", "--unlearn-report", "--unlearn-report-dir=file", *arguments)
    result.assert_outcomes(passed=3, failed=1)  # the report that could not be written counts as well
    shown = [int(percent) for percent in re.findall(r"\[ *(\d+)%\]", result.stdout.str())]
    assert max(shown) == 100
