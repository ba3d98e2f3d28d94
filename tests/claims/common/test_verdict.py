"""The order of the one rule: what outranks what, what is said of it, and in which order."""

import itertools

import pytest

from pytest_unlearn.claims.common.verdict import (
    NO_NEGATIVE,
    NO_POSITIVE,
    FailureKind,
    Finding,
    Objection,
    Wording,
    decide,
    doubt,
    failed_negative_control,
    invalid,
    judge,
    missing_controls,
)
from pytest_unlearn.core.evidence import Claim, ControlResult, Controls, Estimate, Verdict, most_severe

CLAIM = Claim(name="any", quantity="any", lowest=-1.0, highest=1.0)
KINDS = {"high": FailureKind("too high", "lower it"), "low": FailureKind("too low", "raise it")}


class Exact:
    """A measure without any error beyond `half`."""

    def __init__(self, value, half):
        self.value, self.half = value, half

    def at(self, confidence):
        low, high = self.value - self.half, self.value + self.half
        return Estimate(value=self.value, low=low, high=high, confidence=confidence, method="", n_forget=100)


def finding(value=0.0, half=0.1, name="it", **more):
    measure = Exact(value, half)
    return Finding(name=name, measure=measure, estimate=measure.at(0.95), failures=KINDS, **more)


def judged(*findings, **more):
    return judge(findings, CLAIM, 0.95, **more)


STATES = {
    Verdict.PASS: finding(),
    Verdict.INCONCLUSIVE: finding(1.0),
    Verdict.FAIL: finding(2.0),
    Verdict.INVALID: finding(problem="it says nothing"),
}


@pytest.mark.parametrize("verdict", STATES)
def test_one_finding_gives_each_verdict(verdict):
    assert judged(STATES[verdict]).verdict is verdict


def test_severities_order_the_verdicts():
    assert [one.severity for one in STATES] == [0, 1, 2, 3]
    for some in itertools.permutations(STATES, 3):
        assert most_severe(some) is max(some, key=list(STATES).index)
    assert most_severe([]) is Verdict.PASS


@pytest.mark.parametrize(
    ("lowest", "highest", "excess"), [(None, 1.0, 1.0), (0.0, None, 0.5), (0.0, 1.0, 1.0), (-1.0, 3.0, -0.5)]
)
def test_excess_is_how_far_the_interval_reaches_beyond_the_nearer_limit(lowest, highest, excess):
    estimate = Estimate(value=0.5, low=-0.5, high=2.0, confidence=0.95, method="", n_forget=1)
    assert Claim(name="", quantity="", lowest=lowest, highest=highest).excess(estimate) == excess


def test_a_failure_is_named_by_its_side():
    assert [judged(finding(value)).label for value in (2.0, -2.0, 0.0)] == ["too high", "too low", ""]
    said = judged(
        finding(2.0, summary="so much"), wording=Wording(beyond="{label} on the {side} side: {finding.summary}")
    )
    assert said.reasons == ("too high on the high side: so much",)
    assert said.advice == ("lower it",)


def test_what_outranks_what():
    veto, worse, weak = invalid("unfair", "be fair"), Objection(("some fail",), (), Verdict.FAIL, "some"), doubt("weak")
    nothing, failing, passing = (judged(STATES[one]) for one in (Verdict.INVALID, Verdict.FAIL, Verdict.PASS))
    assert decide(nothing, vetoes=[veto]).reasons == ("it says nothing",)
    assert decide(failing, vetoes=[veto]).reasons == ("unfair",)
    assert decide(failing, vetoes=[veto]).label == ""
    assert decide(failing, doubts=[veto, weak]).label == "too high"
    assert decide(passing, doubts=[weak, worse, veto]).verdict is Verdict.INVALID
    assert decide(passing, doubts=[weak, worse]).label == "some"
    assert decide(passing, doubts=[Objection(("by the way",), (), Verdict.PASS)]).verdict is Verdict.PASS


def test_doubts_are_all_named_in_order_and_advice_once():
    decision = decide(
        judged(finding(1.0), counted=True),
        before=[doubt("first", "a")],
        advice=("b",),
        doubts=[doubt("third", "a", "c")],
        scope=("scope",),
        notes=("note",),
    )
    own = "the interval of it reaches beyond the limit, but not with certainty"
    assert decision.reasons == ("scope", "first", own, "third", "note")
    assert decision.advice == ("a", "b", "c")
    assert decision.needed is None  # the estimate lies on its limit
    assert judged(finding(0.95), counted=True).needed > 0
    assert decide(judged(finding(0.95), counted=True), vetoes=[invalid("no")]).needed is None


def test_a_pass_is_named_by_what_decides_and_withheld_by_what_is_bounded():
    inside, outside = finding(0.2), finding(0.95, name="besides", role="bounded")
    assert judged(inside, outside).finding is outside
    nearer = finding(0.5, name="besides", role="bounded")
    assert judged(inside, nearer).finding is inside
    assert judged(inside, finding(0.95, role="tripwire")).verdict is Verdict.PASS


def test_a_finding_is_tested_by_its_own_measure_and_limits_where_it_has_them():
    assert judged(finding(2.0, tested=Exact(2.0, 5.0))).verdict is Verdict.INCONCLUSIVE
    wide = Claim(name="", quantity="", lowest=-3.0, highest=3.0)
    assert judged(finding(2.0, limits=wide)).verdict is Verdict.PASS
    assert judged(finding(-0.95, one_sided=True)).verdict is Verdict.PASS


def test_what_controls_object_to():
    estimate = Exact(0.0, 0.1).at(0.95)
    row = {"attack": "it", "estimate": estimate}
    blind = ControlResult(name="original", holds=False, summary="the original is not seen", **row)
    unlike = ControlResult(name="retrained 1", holds=False, summary="retrained 1 is unlike", **row)
    assert failed_negative_control(Controls(retrained=(unlike,)), "look")[0].reasons == (
        "the negative control fails: retrained 1 is unlike",
    )
    assert failed_negative_control(Controls()) == []
    assert [one.reasons[0][:17] for one in missing_controls(Controls(original=blind), True)] == ["not testable here"]
    said = [one.reasons[0] for one in missing_controls(Controls(), True, no_negative="too few")]
    assert said == [NO_POSITIVE, f"too few, {NO_NEGATIVE}"]
    assert missing_controls(Controls(), False, no_negative="too few") == []


def test_what_a_pass_shows_lies_within_the_limits():
    near, aside = finding(0.3, 0.5, name="near"), finding(-0.95, 0.4, name="aside", one_sided=True)
    assert judged(near, aside).verdict is Verdict.PASS  # one-sided: by its value on the low side
    assert judged(near, aside).finding is near
    assert judged(aside).finding is aside
