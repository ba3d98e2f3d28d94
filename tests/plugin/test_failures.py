"""A failing test's report carries what its audits saw."""

from __future__ import annotations

import pytest

from pytest_unlearn.core.recorder import Recorder, recording
from pytest_unlearn.testing.failures import AuditFailure, raise_unless_proven
from tests.evidences import evidence
from tests.plugin.conftest import Suite


def test_the_failing_test_carries_the_detail(suite: Suite) -> None:
    suite.write(test_release='def test_b(): audit("FAIL", 0.62)')
    result = suite.run()
    result.stdout.fnmatch_lines(
        ["*- unlearning audit -*", "forgotten: FAIL  0.620*", "  margin *deciding", "  entropy *tripwire"]
    )


def test_an_assertion_fails_with_its_message_and_none_of_our_frames(suite: Suite) -> None:
    suite.write(
        test_release="""
        from pytest_unlearn.testing.failures import raise_unless_proven
        def test_b(): raise_unless_proven(evidence("FAIL", 0.62))
        """
    )
    result = suite.run()
    result.stdout.fnmatch_lines(["E * FAIL: the forget set can be told apart in this model."])
    result.stdout.no_fnmatch_line("*assertions.py*")


def test_every_verdict_raises_one_type_so_that_hypothesis_sees_one_failure() -> None:
    raised = []
    for verdict in ("FAIL", "INCONCLUSIVE", "INVALID"):
        with recording(Recorder()), pytest.raises(AuditFailure) as caught:
            raise_unless_proven(evidence(verdict))
        raised.append(caught.value)
    assert {type(error) for error in raised} == {AuditFailure}
    assert issubclass(AuditFailure, AssertionError)
    assert AuditFailure.__eq__ is object.__eq__
    assert [str(error.evidence.verdict) for error in raised] == ["FAIL", "INCONCLUSIVE", "INVALID"]
