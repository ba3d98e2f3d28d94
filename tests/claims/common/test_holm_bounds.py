"""The bounds that evidence shows are those that decided, by Holm's correction where that decided."""

import numpy as np
import pytest

from pytest_unlearn.claims.common.evidence import build_evidence
from pytest_unlearn.claims.common.verdict import FailureKind, Finding, judge
from pytest_unlearn.core.evidence import Claim, Controls, Verdict
from pytest_unlearn.statistics import auc_measure

CLAIM = Claim(name="forgotten", quantity="membership AUC", lowest=0.45, highest=0.55)
KINDS = {"high": FailureKind("too high", "lower it"), "low": FailureKind("too low", "raise it")}


def found(shifts, rng, n=150):
    """Findings of attacks that see the forget set shifted, each by so much."""
    measures = [auc_measure(rng.normal(shift, 1, n), rng.normal(0, 1, 3 * n)) for shift in shifts]
    return [
        Finding(name=f"attack {k}", measure=one, estimate=one.at(0.95), failures=KINDS)
        for k, one in enumerate(measures)
    ]


def evidence_of(findings, **how):
    decision = judge(findings, CLAIM, 0.95, **how)
    return build_evidence(CLAIM, decision, findings, controls=Controls(), provenance={})


@pytest.mark.parametrize("foremost", [None, lambda one: abs(one.estimate.value - 0.5)])
def test_they_lie_beyond_the_limit_exactly_where_the_verdict_is_fail(foremost):
    rng, seen = np.random.default_rng(0), dict.fromkeys(Verdict, 0)
    contradicting = 0
    for _ in range(60):
        evidence = evidence_of(found(rng.uniform(0.0, 0.6, size=6), rng), foremost=foremost)
        seen[evidence.verdict] += 1
        plain = evidence.estimate
        shown = evidence.holm or plain
        assert (shown.low > CLAIM.highest or shown.high < CLAIM.lowest) == (evidence.verdict is Verdict.FAIL)
        contradicting += evidence.verdict is Verdict.INCONCLUSIVE and plain.low > CLAIM.highest
        if evidence.holm:
            assert evidence.holm.value == pytest.approx(plain.value)
            assert evidence.holm.low <= plain.low
            assert evidence.holm.high >= plain.high
    assert seen[Verdict.FAIL] > 10
    assert contradicting >= 3  # whose plain interval looks like a FAIL


def test_within_the_limits_there_are_none():
    assert evidence_of(found([0.0] * 4, np.random.default_rng(1), n=2000)).holm is None


def test_one_attack_alone_is_not_corrected():
    (one,) = findings = found([1.0], np.random.default_rng(2))
    evidence = evidence_of([Finding(name=one.name, measure=one.measure, estimate=one.estimate,
                                    failures={"high": KINDS["high"]})])  # fmt: skip
    assert evidence.verdict is Verdict.FAIL
    assert evidence.holm == findings[0].estimate
