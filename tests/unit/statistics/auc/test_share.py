"""How much of the original's excess over chance is left: closed forms, degenerate models, and coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm, t

from pytest_unlearn.core.evidence import Estimate
from pytest_unlearn.statistics import auc_difference, auc_measure, share_left, share_of_estimates

RNG = np.random.default_rng(0)
CONFIDENCE = 0.95


def world(rng, m, n, original, share, correlation=0.3):
    """Draw normal scores of a model and of its original, whose excesses have this ratio."""
    shift, left = (math.sqrt(2) * norm.ppf(0.5 + excess) for excess in (original - 0.5, share * (original - 0.5)))
    u, v = rng.normal(size=m), rng.normal(size=n)
    rest = math.sqrt(1 - correlation**2)
    forget, controls = correlation * u + rest * rng.normal(size=m), correlation * v + rest * rng.normal(size=n)
    return forget + left, controls, u + shift, v


def misses(share, draws, m=40, n=1000, original=0.85, regroup=None, **labels):
    rng, low, high = np.random.default_rng(0), 0, 0
    for _ in range(draws):
        scores = world(rng, m, n, original, share)
        estimate = share_left(*(scores if regroup is None else regroup(rng, scores)), **labels).at(CONFIDENCE)
        low, high = low + (estimate.low > share), high + (estimate.high < share)
    return low / draws, high / draws


def test_the_original_itself_has_all_of_it_left_for_certain():
    forget, controls, *_ = world(RNG, 200, 900, 0.8, 1.0)
    estimate = share_left(forget, controls, forget, controls).at(CONFIDENCE)
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((1.0, 1.0, 1.0), abs=1e-6)


def test_the_interval_is_fiellers_for_the_two_excesses_and_their_paired_variances():
    forget, controls, known, others = world(RNG, 60, 300, 0.8, 0.3)
    measure = share_left(forget, controls, known, others)
    one, other = auc_measure(forget, controls), auc_measure(known, others)
    assert (measure.audited, measure.original) == pytest.approx((one.value - 0.5, other.value - 0.5))
    assert measure.variances[:2] == pytest.approx((one.variance, other.variance))
    estimate, q = measure.at(CONFIDENCE), t.ppf(CONFIDENCE, measure.degrees)
    own, rest, both = measure.variances
    for end in (estimate.low, estimate.high):  # each end solves (a - r b)^2 = q^2 Var(a - r b)
        gap = measure.audited - end * measure.original
        assert gap**2 == pytest.approx(q**2 * (own - 2 * end * both + end**2 * rest)) or end == 0.0
    assert measure.upper(estimate.high, CONFIDENCE) == pytest.approx(0.0, abs=1e-12)


def test_the_covariance_is_that_of_paired_delong():
    """Against the variance of the difference of two AUCs of the same examples, from its own code."""
    forget, controls, known, others = world(RNG, 400, 2000, 0.8, 0.5)
    own, rest, both = share_left(forget, controls, known, others).variances
    pair = auc_difference(forget, controls, [known], [others])
    assert own + rest - 2 * both == pytest.approx(sum(variance for variance, _ in pair.sides))


def test_an_excess_on_the_other_side_counts_the_same():
    forget, controls, known, others = world(RNG, 100, 500, 0.8, 0.6)
    up, down = (share_left(sign * forget, sign * controls, known, others) for sign in (1, -1))
    assert up.value == pytest.approx(down.value)
    assert down.at(CONFIDENCE).high > 0.6 > down.at(CONFIDENCE).low > 0


def test_copies_of_a_person_are_one_unit():
    forget, controls, known, others = world(RNG, 50, 400, 0.8, 0.2)
    single = share_left(forget, controls, known, others)
    groups = np.repeat(np.arange(50), 4)
    copied = share_left(np.repeat(forget, 4), controls, np.repeat(known, 4), others, forget_groups=groups)
    assert copied.variances == pytest.approx(single.variances)
    assert copied.at(CONFIDENCE).high == pytest.approx(single.at(CONFIDENCE).high, rel=0.02)  # other degrees


def test_what_references_show_as_well_is_taken_off_both():
    _, _, known, others = world(RNG, 100, 500, 0.8, 0.0)
    alike = [(known, others), (known, others)]
    rows = [np.array([pair[side] for pair in alike]) for side in (0, 1)]
    measure = share_left(known, others, known, others, reference_forget=rows[0], reference_controls=rows[1])
    assert measure.original == 0.0
    assert measure.at(CONFIDENCE).high == math.inf


@pytest.mark.parametrize("original", [0.5, 0.45])
def test_nothing_is_bounded_where_the_original_shows_nothing(original):
    known = np.linspace(0, 1, 101)
    shifted = known - (0.5 - original)
    estimate = share_left(known, known, shifted, known).at(CONFIDENCE)
    assert (estimate.low, estimate.high) == (0.0, math.inf)
    assert estimate.method.startswith("undefined")


def test_scores_that_do_not_overlap_still_have_an_interval():
    controls = np.arange(30.0)
    certain = share_left(controls + 100, controls, controls + 100, controls).at(CONFIDENCE)
    assert certain.value == 1.0
    assert 0.7 < certain.low < 1.0 < certain.high < 1.3
    honest = share_left(controls + 0.5, controls, controls + 100, controls).at(CONFIDENCE)
    assert 0 <= honest.low < 0.2 < honest.high < 0.5


def test_a_single_example_bounds_nothing():
    assert share_left([1.0], [0.0, 2.0], [3.0], [0.0, 2.0]).at(CONFIDENCE).high == math.inf


def test_other_examples_are_refused():
    with pytest.raises(ValueError, match="other examples"):
        share_left([1.0, 2.0], [0.0], [1.0], [0.0])


def within(rate, nominal, draws):
    return abs(rate - nominal) <= 0.015 + 3 * math.sqrt(nominal * (1 - nominal) / draws)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_the_interval_covers_as_often_as_it_should(share):
    low, high = misses(share, 400)
    assert within(low + high, 0.1, 400)


def families(rng, scores):
    """Repeat each forget example three times with noise, as a person's examples."""
    forget, controls, known, others = scores
    noise = rng.normal(0, 0.3, (2, 3 * len(forget)))
    return np.repeat(forget, 3) + noise[0], controls, np.repeat(known, 3) + noise[1], others


def rounded(_, scores):
    return [np.round(part, 0) for part in scores]


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
@pytest.mark.parametrize(("m", "n", "original"), [(40, 5000, 0.8), (40, 5000, 0.9), (100, 1000, 0.7), (400, 400, 0.8)])
def test_coverage_is_within_a_point_and_a_half_over_twenty_thousand_draws(share, m, n, original):
    low, high = misses(share, 20_000, m, n, original)
    assert abs(low + high - 0.1) <= 0.015
    assert high <= 0.065


@pytest.mark.slow
@pytest.mark.long
def test_coverage_with_clusters():
    groups = np.repeat(np.arange(40), 3)
    low, high = misses(0.0, 20_000, m=40, regroup=families, forget_groups=groups)
    assert abs(low + high - 0.1) <= 0.015


@pytest.mark.slow
@pytest.mark.long
def test_coverage_with_ties():
    """Rounding changes both excesses; a model with nothing left has nothing left rounded."""
    low, high = misses(0.0, 20_000, m=100, regroup=rounded)
    assert abs(low + high - 0.1) <= 0.015


def number(value, half):
    return Estimate(value=value, low=value - half, high=value + half, confidence=0.95, method="", n_forget=1)


def test_a_ratio_of_two_estimates_has_the_limits_of_donner_and_zou():
    """Their closed form, for independent ends that are symmetric, is Fieller's without covariance."""
    found = share_of_estimates(number(0.3, 0.1), number(1.0, 0.2))
    square, cross, rest = 1 - 0.04, 0.3, 0.09 - 0.01
    root = math.sqrt(cross**2 - square * rest)
    assert (found.low, found.high) == pytest.approx(((cross - root) / square, (cross + root) / square))


def test_a_ratio_knows_on_which_side_the_effect_of_the_original_is():
    down = share_of_estimates(number(-0.3, 0.1), number(-1.0, 0.2))
    up = share_of_estimates(number(0.3, 0.1), number(1.0, 0.2))
    assert (down.value, down.low, down.high) == pytest.approx((up.value, up.low, up.high))
    assert share_of_estimates(number(0.65, 0.1), number(0.9, 0.1), 0.5).value == pytest.approx(0.375)


def test_a_ratio_over_what_may_be_nothing_is_not_bounded():
    assert share_of_estimates(number(0.3, 0.1), number(0.1, 0.2)).high == math.inf
