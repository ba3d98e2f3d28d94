"""Ranks of canaries: every law by counting, uniform p-values for models that saw none, and power for those that did."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from pytest_unlearn.statistics.verbatim.canary_ranks import CanaryRanks, ranks_among_rivals


def unseen(seed: int, space: int = 1000, canaries: int = 20) -> CanaryRanks:
    return CanaryRanks(ranks=np.random.default_rng(seed).integers(1, space + 1, canaries), space=space)


@pytest.mark.parametrize(("space", "canaries"), [(2, 1), (2, 5), (5, 3), (7, 4)])
def test_the_sums_law_is_that_of_counting_all_ranks(space, canaries):
    all_ranks = np.array(list(itertools.product(range(1, space + 1), repeat=canaries)))
    sums = all_ranks.sum(axis=1)
    for ranks in all_ranks[:: max(1, len(all_ranks) // 40)]:
        one = CanaryRanks(ranks=ranks, space=space)
        assert one.sum_p_value("high") == pytest.approx(np.mean(sums <= ranks.sum()), rel=1e-14)
        assert one.sum_p_value("low") == pytest.approx(np.mean(sums >= ranks.sum()), rel=1e-14)


def test_one_canary_is_its_rank():
    one = CanaryRanks(ranks=np.array([3]), space=10**6)
    assert (one.sum_p_value("high"), one.exposure_p_value()) == pytest.approx((3e-6, 3e-6))
    assert one.exposures[0] == pytest.approx(math.log2(10**6 / 3))


def test_far_out_sums_are_exact_where_floats_cancel():
    first = CanaryRanks(ranks=np.ones(20, dtype=int), space=10**6)
    assert first.sum_p_value("high") == pytest.approx(1e-120)
    assert first.sum_p_value("low") == 1.0
    assert CanaryRanks(ranks=np.full(20, 10**6), space=10**6).sum_p_value("low") == pytest.approx(1e-120)


@pytest.mark.parametrize(
    "p",
    [
        lambda one: one.sum_p_value("high"),
        lambda one: one.sum_p_value("low"),
        lambda one: one.exposure_p_value(seed=int(one.ranks.sum())),
        lambda one: one.exposure_p_value(),
    ],
    ids=["recognised", "avoided", "exposure-spread", "exposure"],
)
def test_p_values_of_models_that_saw_none_are_uniform(p):
    assert stats.kstest([p(unseen(seed)) for seed in range(1000)], "uniform").pvalue > 0.01


def test_in_a_small_space_spread_exposure_is_uniform_and_plain_exposure_errs_on_the_safe_side():
    plain = [unseen(seed, space=4, canaries=3).exposure_p_value() for seed in range(1000)]
    spread = [unseen(seed, space=4, canaries=3).exposure_p_value(seed=seed + 10**6) for seed in range(1000)]
    assert stats.kstest(spread, "uniform").pvalue > 0.01
    for level in (0.01, 0.05, 0.2, 0.5):
        assert np.mean(np.array(plain) <= level) <= level + 3 * math.sqrt(level * (1 - level) / 1000)


def test_few_canaries_known_by_heart_are_seen_by_exposure():
    rng = np.random.default_rng(0)
    some = CanaryRanks(ranks=np.concatenate([np.ones(5, dtype=int), rng.integers(1, 10**4, 15)]), space=10**4)
    assert some.exposure_p_value() < 1e-8
    assert some.sum_p_value("high") > 1e-4


def test_the_share_outranked_is_an_auc():
    rng = np.random.default_rng(0)
    planted, rivals = rng.normal(0.5, 1, 30), rng.normal(size=(30, 99))
    found = CanaryRanks(ranks=ranks_among_rivals(planted, rivals), space=100)
    assert found.value == pytest.approx((planted[:, None] > rivals).mean())
    assert CanaryRanks(ranks=np.array([1, 1]), space=50).value == 1.0
    assert CanaryRanks(ranks=np.array([50, 50]), space=50).value == 0.0


def test_bounds_of_the_share_hold_for_models_that_saw_none():
    held = np.zeros(2)
    for seed in range(600):
        estimate = unseen(seed, space=100, canaries=10).at(0.95)
        held += estimate.low <= 0.5, estimate.high >= 0.5
    assert (held / 600 >= 0.95 - 3 * math.sqrt(0.05 * 0.95 / 600)).all()


def test_a_single_canary_has_bounds_and_equal_ranks_have_a_width():
    alone = CanaryRanks(ranks=np.array([1]), space=1000).at(0.95)
    assert 0.5 < alone.low < alone.high == 1.0
    level = CanaryRanks(ranks=np.full(20, 500), space=1000).at(0.95)
    assert level.low < 0.45 < 0.55 < level.high


def test_a_model_that_tells_nothing_apart_ranks_by_chance():
    ranks = ranks_among_rivals(np.zeros(4000), np.zeros((4000, 9)))
    counts = np.bincount(ranks, minlength=11)[1:]
    assert stats.chisquare(counts).pvalue > 0.01
    assert np.array_equal(ranks, ranks_among_rivals(np.zeros(4000), np.zeros((4000, 9))))


def test_the_most_probable_is_the_first():
    assert ranks_among_rivals([5.0, -5.0, 1.5], [[1, 2, 3], [1, 2, 3], [1, 2, 3]]).tolist() == [1, 4, 3]


def test_what_is_no_ranks_is_refused():
    for ranks, space, said in (
        ([0], 10, "between 1 and 10"),
        ([11], 10, "between 1 and 10"),
        ([1.5], 10, "whole numbers"),
        ([], 10, "whole numbers"),
        ([1], 1, "two or more"),
        ([1], 2.0, "two or more"),
    ):
        with pytest.raises(ValueError, match=said):
            CanaryRanks(ranks=np.array(ranks), space=space)
    with pytest.raises(ValueError, match='"high" or "low"'):
        CanaryRanks(ranks=np.array([1]), space=2).sum_p_value("up")
    with pytest.raises(ValueError, match=r"a row of one rival or more for each of 2"):
        ranks_among_rivals([1.0, 2.0], [[1.0]])
