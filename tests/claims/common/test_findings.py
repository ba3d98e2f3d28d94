"""The verdict rule of one model, on findings whose numbers are chosen."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.stats import norm

from pytest_unlearn.attacks.registry import Attack
from pytest_unlearn.claims.common.controls import power_check
from pytest_unlearn.claims.common.findings import attack_finding, judge_attacks
from pytest_unlearn.core.evidence import Estimate, Scores, Verdict

NO_SCORES = Scores(forget=np.zeros(1), controls=np.zeros(1))


@dataclass(frozen=True)
class Normal:
    """A measure with a normal error."""

    value: float
    error: float

    def at(self, confidence):
        half = norm.ppf(confidence) * self.error
        return Estimate(
            value=self.value,
            low=self.value - half,
            high=self.value + half,
            confidence=confidence,
            method="normal",
            n_forget=100,
            n_controls=100,
        )


def finding(value, error=0.02, deciding=True, signed=True, problem="", name="attack"):
    measure = Normal(value, error)
    attack = Attack(name=name, score=lambda *_: NO_SCORES, measure=lambda *_: measure, signed=signed)
    return attack_finding(attack, NO_SCORES, measure, 0.95, deciding=deciding, problem=problem)


def verdict(*findings, can_certify=True):
    return judge_attacks(findings, 0.55, 0.95, can_certify).verdict


def test_every_deciding_bound_within_the_limit_on_both_sides_is_a_pass():
    assert verdict(finding(0.51), finding(0.49), finding(0.5, signed=False)) is Verdict.PASS


@pytest.mark.parametrize("value", [0.53, 0.47])
def test_a_bound_beyond_the_limit_on_either_side_withholds_pass(value):
    assert verdict(finding(0.5), finding(value)) is Verdict.INCONCLUSIVE


def test_one_weak_rejection_among_many_attacks_is_no_failure():
    """0.60 with an error of 0.025 is beyond 0.55 at 2%, which Holm's correction over nine attacks takes away."""
    lone = finding(0.60, error=0.025)
    assert verdict(lone) is Verdict.FAIL
    others = [finding(0.5, error=0.01, deciding=False) for _ in range(8)]
    assert verdict(lone, *others) is Verdict.INCONCLUSIVE


def test_a_tripwire_can_fail_but_not_withhold_a_pass():
    assert verdict(finding(0.5), finding(0.70, deciding=False)) is Verdict.FAIL
    assert verdict(finding(0.5), finding(0.56, error=0.05, deciding=False)) is Verdict.PASS


def test_a_deviation_on_the_low_side_withholds_pass_by_its_estimate_and_fails_by_its_bound():
    assert verdict(finding(0.5), finding(0.46, error=0.02, signed=False)) is Verdict.PASS
    assert verdict(finding(0.5), finding(0.44, error=0.02, signed=False)) is Verdict.INCONCLUSIVE
    assert verdict(finding(0.5), finding(0.20, error=0.02, signed=False)) is Verdict.FAIL


def test_too_few_examples_withhold_a_pass_that_luck_would_give():
    assert verdict(finding(0.5, error=0.001), can_certify=False) is Verdict.INCONCLUSIVE


def test_a_deciding_score_that_cannot_be_interpreted_outranks_a_failure():
    assert verdict(finding(0.9), finding(0.5, problem="ties")) is Verdict.INVALID
    assert verdict(finding(0.5), finding(0.9, deciding=False, problem="ties")) is Verdict.PASS


def test_the_low_side_is_labelled_over_forgotten_and_signed_attacks_name_the_failure():
    both = judge_attacks([finding(0.1, name="signed"), finding(0.95, signed=False)], 0.55, 0.95, True)
    assert (both.label, both.finding.attack.name) == ("over-forgotten", "signed")
    assert judge_attacks([finding(0.9)], 0.55, 0.95, True).label == "recognisable"
    assert judge_attacks([finding(0.5), finding(0.9, signed=False)], 0.55, 0.95, True).label == "conspicuous"


def nothing_left(audited, original):
    return replace(original.estimate, value=0.0, low=0.0, high=0.3)


@pytest.mark.parametrize("role", [True, False])
def test_a_spared_side_withholds_pass_where_it_would_fail_and_nothing_else_changes(role):
    def spared(*findings):
        return judge_attacks(findings, 0.55, 0.95, spared=("low",))

    low, fine, high = finding(0.3, deciding=role, name="low"), finding(0.5), finding(0.7, name="high")
    assert judge_attacks([low, fine], 0.55, 0.95).verdict is Verdict.FAIL
    withheld = spared(low, fine)
    assert (withheld.verdict, withheld.label) == (Verdict.INCONCLUSIVE, "")
    assert withheld.reasons[0].startswith("low is beyond the limit on the low side")
    assert "references" in withheld.advice[0]
    both = spared(low, fine, high)
    assert (both.verdict, both.label, both.finding.name) == (Verdict.FAIL, "recognisable", "high")
    assert spared(fine).verdict is Verdict.PASS


def test_power_is_a_deciding_lower_bound_above_chance_whatever_the_limit():
    def power(*findings):
        return power_check(findings, findings, nothing_left, 0.5).control.holds

    assert power(finding(0.56))
    assert not power(finding(0.52))
    assert not power(finding(0.5), finding(0.9, deciding=False))
    assert not power(finding(0.9, problem="ties"))
    assert power(finding(0.9, problem="ties"), finding(0.60))


def test_an_original_that_is_not_recognised_makes_a_claim_not_testable_unless_the_model_is():
    blind, plain = finding(0.51), finding(0.8)
    assert "not recognised with certainty" in power_check([blind], [finding(0.5)], nothing_left, 0.5).not_testable
    assert power_check([blind], [plain], nothing_left, 0.5).not_testable == ""
    assert power_check([plain], [finding(0.5)], nothing_left, 0.5).not_testable == ""


def test_an_original_that_shows_too_little_to_acquit_anybody_is_not_testable_either():
    check = power_check([finding(0.56)], [finding(0.5)], nothing_left, 0.5)
    assert check.control.holds
    assert "too weakly for so few examples" in check.not_testable


@pytest.mark.parametrize("most", [0.3, 0.5])
@pytest.mark.parametrize("effect", [0.06, 0.1])
def test_as_many_times_the_examples_as_it_says_let_the_best_attack_acquit(effect, most):
    """Errors shrink with the root of the number: beyond it the attack is strong, short of it it is not."""

    def strong(error):
        return power_check([finding(0.5 + effect, error=error)], [finding(0.5)], nothing_left, most)

    few = strong(0.03)
    assert not few.strong
    assert 1 < few.times < np.inf
    assert strong(0.03 / (1.05 * few.times) ** 0.5).strong
    assert not strong(0.03 / (0.9 * few.times) ** 0.5).strong
    assert power_check([finding(0.51)], [finding(0.5)], nothing_left, most).times == np.inf


@pytest.mark.parametrize(("high", "value"), [(0.7, 0.0), (0.9, 0.6), (np.inf, 0.1)])
def test_where_examples_are_lacking_the_advice_is_more_of_them_and_not_to_unlearn_again(high, value):
    def share(audited, original):
        return replace(original.estimate, value=value, low=0.0, high=high)

    (said,) = power_check([finding(0.56)], [finding(0.5)], share, 0.5).objections("unlearn again")
    assert "not testable here" in said.reasons[0]
    assert ["batch requests" in step for step in said.advice] == [True]
    named = power_check([finding(0.56)], [finding(0.5)], share, 0.5).objections(
        "unlearn again", few=("judge the method",)
    )
    assert named[0].advice == ("judge the method",)


def test_a_share_whose_bound_is_above_all_is_told_as_all():
    def share(audited, original):
        return replace(original.estimate, value=1.02, low=0.0, high=1.11)

    (said,) = power_check([finding(0.9)], [finding(0.9)], share, 0.5).objections()
    assert "not enough is gone: all of what the original shows may be left" in said.reasons[0]
    assert "the estimate is all), and PASS allows 50%" in said.reasons[0]


def test_attacks_that_would_acquit_an_honest_model_decide_and_others_allow_what_they_can_tell():
    def check(original, share):
        audited = [finding(0.5, name=one.name) for one in original]
        return power_check(original, audited, share, 0.5)

    def share(**highs):
        return lambda audited, original: replace(original.estimate, value=0, low=0, high=highs[original.name])

    strong, weak, faint = finding(0.8, name="strong"), finding(0.61, name="weak"), finding(0.54, name="faint")
    both = check([strong, weak], share(strong=0.3, weak=0.8))
    assert both.allowed["strong"] == 0.5 < both.allowed["weak"] < 1
    assert both.objections() != [] or both.allowed["weak"] >= 0.8
    assert check([strong, weak], share(strong=0.3, weak=0.6)).objections() == []
    assert check([strong, weak], share(strong=0.6, weak=0.3)).objections() != []
    assert check([strong, faint], share(strong=0.3, faint=5.0)).objections() == []  # it tells nobody from the original
    assert check([weak], share(weak=0.6)).objections() != []
    assert check([weak], share(weak=0.6)).not_testable != ""
    assert check([weak], share(weak=0.99)).not_testable == ""


def test_a_deviation_that_shows_the_original_objects_and_decides_nothing_in_a_signed_attacks_place():
    weak, deviation = finding(0.61, name="weak"), finding(0.9, name="deviation", signed=False)

    def check(signed, other):
        highs = {"weak": signed, "deviation": other}
        audited = [finding(0.5, name=name, signed=name == "weak") for name in highs]
        share = lambda _, known: replace(known.estimate, value=0, low=0, high=highs[known.name])  # noqa: E731
        return power_check([weak, deviation], audited, share, 0.5)

    assert check(0.4, 0.4).objections() == []
    assert check(0.4, 0.6).objections() != []
    assert check(0.6, 0.4).objections() != []
    assert check(0.6, 0.4).share_left[0] == "weak"


def test_what_a_deviation_is_allowed_beyond_the_share_that_is_asked_is_not_recorded_as_that_share():
    weak, faint = finding(0.61, name="weak"), finding(0.62, name="deviation", signed=False)
    highs = {"weak": 0.4, "deviation": 0.55}
    audited = [finding(0.5, name=name, signed=name == "weak") for name in highs]
    share = lambda _, known: replace(known.estimate, value=0, low=0, high=highs[known.name])  # noqa: E731
    check = power_check([weak, faint], audited, share, 0.5)
    assert check.allowed["deviation"] > 0.55
    assert check.objections() == []
    assert check.share_left[0] == "weak"  # or the gate would hold the other one to what was asked


def test_a_limit_that_so_few_examples_cannot_certify_makes_a_claim_not_testable_within_what_they_can():
    original, errors = [finding(0.8)], {"attack": 0.02}
    close, far = ([finding(value)] for value in (0.52, 0.55))
    few = {"limit": 0.05, "errors": errors}
    assert "do not surely certify this limit" in power_check(original, close, nothing_left, 0.5, **few).not_testable
    assert power_check(original, far, nothing_left, 0.5, **few).not_testable == ""
    assert power_check(original, close, nothing_left, 0.5, limit=0.1, errors=errors).not_testable == ""
