"""Strata balance what they are laid over, and say who has nobody to be compared with."""

import math

import numpy as np
import pytest
from scipy import special

from pytest_unlearn.statistics import (
    auc,
    auc_measure,
    balancing_strata,
    crossed_strata,
    effective_size,
    midrank_share,
    overlapping,
    strata_weights,
)


def test_strata_take_a_shift_away_and_leave_a_leak():
    rng = np.random.default_rng(0)
    forget, controls = rng.normal(1, 1, 2000), rng.normal(0, 1, 6000)
    noise = rng.normal(0, 1, 2000), rng.normal(0, 1, 6000)
    kept = overlapping(forget, controls)
    ours, theirs = balancing_strata(forget[kept], controls)
    scores = [(forget + noise[0] + leak)[kept] for leak in (0.0, 1.0)]
    honest, leaky = (auc_measure(s, controls + noise[1], forget_strata=ours, control_strata=theirs) for s in scores)
    assert auc(forget + noise[0], controls + noise[1]) > 0.67
    assert honest.value == pytest.approx(0.5, abs=0.02)
    assert leaky.value == pytest.approx(special.ndtr(1 / math.sqrt(2)), abs=0.03)


def test_who_lies_beyond_the_controls_has_no_overlap():
    controls = np.linspace(0, 1, 50)
    assert overlapping([0.5, 3.0, -3.0, 1.0], controls).tolist() == [True, False, False, True]


def test_a_gap_is_no_overlap_either():
    controls = np.r_[np.zeros(20), np.full(20, 10.0)]
    assert overlapping([0.0, 5.0, 10.0], controls).tolist() == [True, False, True]


def test_one_near_control_is_not_enough():
    assert overlapping([0.0, 9.0], [0.0, 0.1, 9.0]).tolist() == [True, False]


def test_every_stratum_has_forget_examples_and_controls():
    rng = np.random.default_rng(1)
    forget, controls = rng.normal(2, 1, 200), rng.normal(0, 1, 300)
    kept = overlapping(forget, controls)
    ours, theirs = balancing_strata(forget[kept], controls)
    for stratum in np.unique(ours):
        assert (theirs == stratum).sum() >= 5
    assert set(theirs) - set(ours) <= {-1}
    assert (theirs == -1).any()  # controls below every forget example are compared with none


@pytest.mark.parametrize("count", [1, 9, 25])
def test_few_examples_make_few_strata(count):
    ours, _ = balancing_strata(np.linspace(0, 1, count), np.linspace(0, 1, 100))
    assert len(np.unique(ours)) <= max(1, count // 10)


def test_equal_scores_are_one_stratum():
    ours, theirs = balancing_strata(np.ones(50), np.ones(10))
    assert set(ours) == set(theirs) == {0}


def test_two_scores_are_balanced_at_once():
    rng = np.random.default_rng(2)
    first = rng.normal(0.7, 1, 1500), rng.normal(0, 1, 5000)
    second = rng.normal(-0.7, 1, 1500), rng.normal(0, 1, 5000)
    ours, theirs = crossed_strata(first, second)
    assert set(np.unique(ours)) <= set(np.unique(theirs))
    for pair in (first, second):
        found = auc_measure(*pair, forget_strata=ours, control_strata=theirs).value
        assert abs(found - 0.5) < 0.06
        assert abs(auc(*pair) - 0.5) > 0.15


def test_weights_give_each_stratum_what_the_forget_set_has_of_it():
    weights = strata_weights([0, 0, 0, 1], [0, 1, 1, 2])
    assert weights.tolist() == [0.75, 0.125, 0.125, 0.0]
    assert effective_size(weights) == pytest.approx(1 / (0.75**2 + 2 * 0.125**2))


def test_no_weight_is_worth_nobody_and_negative_ones_are_refused():
    assert effective_size([0.0, 0.0]) == 0.0
    with pytest.raises(ValueError, match="at least 0"):
        effective_size([-1.0])


def test_what_a_score_can_be_read_off_follows_it_fully():
    scores = np.random.default_rng(3).normal(size=200)
    assert midrank_share(np.exp(scores), scores) == pytest.approx(1.0)
    assert midrank_share(-scores, scores) == pytest.approx(1.0)
    tenths = np.digitize(scores, np.quantile(scores, np.arange(1, 10) / 10))
    assert midrank_share(tenths, scores) == pytest.approx(1.0)
    assert midrank_share(scores > 0.3, scores) == pytest.approx(1.0)


def test_what_has_nothing_to_do_with_a_score_does_not_follow_it():
    rng = np.random.default_rng(4)
    assert midrank_share(rng.normal(size=2000), rng.normal(size=2000)) < 0.1
    assert midrank_share(np.ones(5), np.arange(5)) == 0.0
    with pytest.raises(ValueError, match="do not belong"):
        midrank_share([1.0], [1.0, 2.0])
