"""Evidence reaches the ledger: plainly, under xdist, from killed workers, from Hypothesis tests and from reruns."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Suite

MIXED = """
def test_a(): audit("PASS")
def test_b(): audit("FAIL", 0.62)
def test_c(): audit("INCONCLUSIVE", 0.54)
def test_d(): audit("INVALID")
def test_e():
    audit("PASS")
    audit("PASS", 0.001, name="utility", highest=0.02)
def test_plain(): pass
"""


@pytest.mark.parametrize("arguments", [(), ("-n2",)])
def test_counts_and_one_line_a_claim(suite: Suite, arguments: tuple[str, ...]) -> None:
    suite.write(test_release=MIXED)
    result = suite.run(*arguments)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "*= unlearning audit =*",
            "6 claims: 3 passed, 1 failed, 1 inconclusive, 1 invalid",
            "PASS          test_a  0.500 [[]0.470, 0.530[]] vs membership AUC at most 0.55",
            "FAIL          test_b  0.620*",
            "INCONCLUSIVE  test_c*",
            "INVALID       test_d*",
            "PASS          test_e*",
            "PASS          test_e  0.001*at most 0.02",
        ]
    )


def test_the_failing_test_carries_the_detail(suite: Suite) -> None:
    suite.write(test_release=MIXED)
    result = suite.run("-k", "test_b")
    result.stdout.fnmatch_lines(
        ["*- unlearning audit -*", "forgotten: FAIL  0.620*", "  margin *deciding", "  entropy *tripwire"]
    )


@pytest.mark.parametrize("arguments", [("-qq",), ("--collect-only",), ("-k", "test_plain")])
def test_no_section_when_quiet_or_when_no_audit_ran(suite: Suite, arguments: tuple[str, ...]) -> None:
    suite.write(test_release="def test_plain(): pass\ndef test_a(): audit()\n")
    result = suite.run(*arguments)
    assert result.ret == 0
    result.stdout.no_fnmatch_line("*unlearning audit*")
    assert not (suite.path / ".unlearn").exists()


def test_lines_respect_the_terminal_width(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "90")
    suite.write(test_release=f"def test_{'very_' * 30}long(): audit()\n")
    result = suite.run()
    at = next(number for number, line in enumerate(result.outlines) if line.startswith("PASS  "))
    assert all(len(line) <= 90 for line in result.outlines[at : at + 2])
    assert result.outlines[at + 1].strip() == "0.500 [0.470, 0.530] vs membership AUC at most 0.55"


@pytest.mark.parametrize("arguments", [(), ("-n2",)])
def test_numpy_scalars_in_evidence_do_no_harm(suite: Suite, arguments: tuple[str, ...]) -> None:
    suite.write(
        test_release="""
        import numpy as np
        FOUND = {"n": np.int64(3), "a": np.arange(2), "bad": float("nan")}
        def test_a(): audit("PASS", np.float32(0.5), provenance=FOUND)
        """
    )
    result = suite.run("--unlearn-report", *arguments)
    assert result.ret == 0
    assert suite.report()["claims"][0]["evidence"]["provenance"] == {"n": 3, "a": [0, 1], "bad": None}


def test_a_killed_worker_takes_only_its_own_test_along(suite: Suite) -> None:
    suite.write(
        test_release="""
        @pytest.mark.parametrize("i", range(6))
        def test_a(i): audit()
        @pytest.mark.unlearn
        def test_killer():
            audit()
            os._exit(1)
        """
    )
    result = suite.run("-n2", "--unlearn-gate")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "6 claims: 6 passed, 0 failed, 0 inconclusive, 0 invalid",
            "*test_killer is marked as an audit but ended without any evidence (failed)",
            "1 worker crashed*",
            "release gate: blocked*",
        ]
    )


@pytest.mark.parametrize("arguments", [(), ("-n2",)])
def test_a_hypothesis_test_becomes_its_worst_example_and_a_count(suite: Suite, arguments: tuple[str, ...]) -> None:
    suite.write(
        test_release="""
        from hypothesis import given, settings, strategies as st, Phase
        @settings(max_examples=30, database=None, derandomize=True, phases=[Phase.generate])
        @given(st.integers(0, 100))
        def test_search(size):
            audit("PASS", size / 250)
            audit("PASS", 0.0, name="utility")
        """
    )
    result = suite.run("--unlearn-report", *arguments)
    assert result.ret == 0
    forgotten, utility = suite.report()["claims"]
    assert forgotten["count"] == utility["count"] > 20
    assert forgotten["evidence"]["estimate"]["value"] > 0.2
    result.stdout.fnmatch_lines(["2 claims: 2 passed*", "PASS * (worst of *)"])


def test_a_test_marked_as_an_audit_without_evidence_is_named(suite: Suite) -> None:
    suite.write(
        test_release="""
        @pytest.mark.unlearn(confidence=0.9)
        def test_skipped(): pytest.skip()
        """
    )
    suite.run().stdout.fnmatch_lines(
        ["0 claims: *", "test_release.py::test_skipped is marked as an audit but ended without any evidence (skipped)"]
    )


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
    suite.run().stdout.fnmatch_lines(["3 claims: 3 passed*"])
