"""Differences paired by item and clustered by author: closed forms, and the degenerate requests."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from pytest_unlearn.statistics.accuracy.clustered import clustered_difference
from pytest_unlearn.statistics.equivalence import equivalence

RNG = np.random.default_rng(0)
AUTHORS = np.repeat(np.arange(20), 20)


def test_equal_groups_give_students_t_on_their_means():
    ours, theirs = RNG.random(400), RNG.random(400)
    means = (ours - theirs).reshape(20, 20).mean(axis=1)
    wanted = stats.ttest_1samp(means, 0.0).confidence_interval(0.90)
    found = clustered_difference(ours, theirs, AUTHORS).at(0.95)
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high), rel=1e-9)
    assert found.value == pytest.approx(means.mean())
    assert found.method == "paired difference over 20 groups, t"


def test_the_order_and_the_names_of_groups_do_not_matter():
    ours, theirs, order = RNG.random(400), RNG.random(400), RNG.permutation(400)
    named = np.array([f"author {k}" for k in AUTHORS])
    one = clustered_difference(ours, theirs, AUTHORS).at(0.95)
    other = clustered_difference(ours[order], theirs[order], named[order]).at(0.95)
    assert (one.low, one.high) == pytest.approx((other.low, other.high))


def test_copies_of_items_are_no_evidence():
    ours, theirs = RNG.random(20), RNG.random(20)
    once = clustered_difference(ours, theirs, np.arange(20)).at(0.95)
    often = clustered_difference(np.repeat(ours, 20), np.repeat(theirs, 20), AUTHORS).at(0.95)
    assert (once.low, once.high) == pytest.approx((often.low, often.high))


def test_unequal_groups_are_worth_fewer():
    sizes = np.array([200] + [10] * 20)
    groups = np.repeat(np.arange(21), sizes)
    found = clustered_difference(RNG.random(400), RNG.random(400), groups)
    assert found.degrees == pytest.approx(400**2 / (200**2 + 20 * 10**2) - 1)
    equal = clustered_difference(RNG.random(400), RNG.random(400), AUTHORS)
    assert equal.degrees == pytest.approx(19)


def test_several_references_vary_too():
    theirs = RNG.random((3, 400)) * 0.2 + np.array([[0.1], [0.4], [0.7]])
    ours = RNG.random(400)
    mean = clustered_difference(ours, theirs, AUTHORS).at(0.95)
    alone = clustered_difference(ours, theirs.mean(axis=0), AUTHORS).at(0.95)
    another = clustered_difference(ours, theirs, AUTHORS, further=True).at(0.95)
    assert mean.value == pytest.approx(alone.value)
    assert alone.high - alone.low < mean.high - mean.low < another.high - another.low


def test_right_and_wrong_that_never_differ_may_yet():
    same = (RNG.random(400) < 0.5).astype(float)
    found = clustered_difference(same, same, AUTHORS, sparse=True).at(0.95)
    assert found.low == -found.high
    assert found.high == pytest.approx(1.6449**2 / (20 + 1.6449**2), rel=1e-4)  # z^2 / (n + z^2) of 20 authors
    scale = clustered_difference(same * 0.3, same * 0.3, AUTHORS).at(0.95)
    assert 0 < scale.high < 0.01


def test_one_author_tells_nothing():
    found = clustered_difference([0.1, 0.9], [0.3, 0.2], ["a", "a"]).at(0.95)
    assert (found.low, found.high) == (-1.0, 1.0)
    assert clustered_difference([7.0, 9.0], [1.0, 2.0], ["a", "a"], bounded=False).at(0.95).high == math.inf


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (([0.5], [0.5, 0.5], [1]), "pass the same ones"),
        (([0.5], [0.5], [1, 2]), "one for each of 1 items"),
        (([-1.5], [0.5], [1]), "bounded=False"),
        (([], [], []), "empty"),
        (([math.nan], [0.5], [1]), "not finite"),
    ],
    ids=["items", "groups", "scale", "empty", "nan"],
)
def test_what_does_not_fit_is_refused(arguments, said):
    with pytest.raises(ValueError, match=said):
        clustered_difference(*arguments)


def test_one_more_retrained_model_needs_two_to_vary():
    with pytest.raises(ValueError, match="two of them or more"):
        clustered_difference([0.5, 0.1], [0.5, 0.1], [1, 2], further=True)


class TestEquivalence:
    def test_it_is_schuirmanns_two_tests(self):
        ours, theirs = RNG.random(400), RNG.random(400)
        means = (ours - theirs).reshape(20, 20).mean(axis=1)
        found = equivalence(clustered_difference(ours, theirs, AUTHORS), 0.1)
        wanted = max(
            stats.ttest_1samp(means, 0.1, alternative="less").pvalue,
            stats.ttest_1samp(means, -0.1, alternative="greater").pvalue,
        )
        assert found.p_equivalent == pytest.approx(wanted, rel=1e-6)
        assert found.p_different == pytest.approx(stats.ttest_1samp(means, 0.0).pvalue, rel=1e-6)
        assert found.equivalent == (wanted < 0.05)

    def test_few_data_show_neither(self):
        rng = np.random.default_rng(3)
        found = equivalence(clustered_difference(rng.random(6), rng.random(6), [0, 0, 1, 1, 2, 2]), 0.05)
        assert not found.equivalent
        assert not found.different

    def test_a_difference_may_be_there_and_not_matter(self):
        ours = RNG.random(2000) * 0.5
        groups = np.repeat(np.arange(100), 20)
        found = equivalence(clustered_difference(ours + 0.02, ours, groups), 0.05)
        assert found.equivalent
        assert found.different

    @pytest.mark.parametrize("margin", [0.0, -1.0, math.nan, math.inf, "small"])
    def test_other_margins_are_refused(self, margin):
        with pytest.raises(ValueError, match="above 0"):
            equivalence(clustered_difference([0.1, 0.2], [0.1, 0.1], [1, 2]), margin)
