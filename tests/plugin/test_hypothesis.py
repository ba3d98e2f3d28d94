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
