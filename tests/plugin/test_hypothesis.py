"""Audits under @given: one entry a claim, and in CI the same examples every time."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Suite


@pytest.mark.slow
def test_a_hypothesis_test_becomes_its_worst_example_and_a_count(suite: Suite) -> None:
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
    for arguments in ((), ("-n2",)):
        result = suite.run("--unlearn-report", *arguments)
        assert result.ret == 0
        forgotten, utility = suite.report()["claims"]
        assert forgotten["count"] == utility["count"] > 20
        assert forgotten["evidence"]["estimate"]["value"] > 0.2
        result.stdout.fnmatch_lines(["2 claims planned, 2 ran: 2 passed*", "PASS * (worst of *)"])


@pytest.mark.slow
def test_in_ci_the_same_examples_are_audited_every_time_without_a_deadline(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    suite.write(
        test_release="""
        import time
        from hypothesis import given, strategies as st
        SEEN = []
        @given(st.integers(0, 2**60))
        def test_search(size):
            if not SEEN:
                time.sleep(0.3)  # longer than the deadline of Hypothesis outside CI
            SEEN.append(size)
            audit("PASS", 0.5, provenance={"seen": hash(tuple(SEEN))})
        """
    )
    seen = []
    for _ in range(2):
        assert suite.run("--unlearn-report", subprocess=True).ret == 0
        (claim,) = suite.report()["claims"]
        seen.append((claim["count"], claim["evidence"]["provenance"]["seen"]))
    assert seen[0] == seen[1]
    assert seen[0][0] <= 100


DRAWN = """
    from hypothesis import given, settings, strategies as st
    def about(number, name="forgotten"):
        model = {"type": "torch.nn.Linear", "digest": f"{number:064x}", "not identified": ""}
        request = {"n": 300, "digest": f"{number:064x}", "defined in": "test_it.py"}
        audit("PASS", 0.5, name=name, provenance={"model": model, "request": request})
    @settings(max_examples=5, database=None, derandomize=True)
    @given(st.integers(1, 100))
    def test_any(number):
        about(number)
        about(number, "no_residual")
"""


def test_a_gate_releases_what_a_property_test_is_not_about(suite: Suite) -> None:
    suite.write(test_it=f"{DRAWN}    def test_it(): about(255)\n")
    assert suite.run("--unlearn-gate", "--unlearn-report").ret == 0
    assert [claim.get("drawn", False) for claim in suite.report()["claims"]] == [True, True, False]


def test_a_gate_releases_nothing_on_a_property_test_alone(suite: Suite) -> None:
    suite.write(test_it=DRAWN)
    result = suite.run("--unlearn-gate", "--unlearn-report")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    (reason,) = suite.report()["gate"]["reasons"]
    assert reason == (
        "forgotten is claimed only of what a property test draws (test_it.py::test_any), which judges the method: "
        "claim it of the model and the request that are released as well"
    )


def test_a_gate_blocks_on_a_property_test_that_fails(suite: Suite) -> None:
    failing = DRAWN.replace('audit("PASS", 0.5', 'audit("PASS" if number < 255 else "FAIL", 0.5').replace("100", "300")
    suite.write(test_it=f"{failing.replace('max_examples=5', 'max_examples=200')}    def test_it(): about(1)\n")
    result = suite.run("--unlearn-gate", "--unlearn-report")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    reasons = suite.report()["gate"]["reasons"]
    assert any(reason.endswith(": forgotten is FAIL in test_it.py::test_any") for reason in reasons)
