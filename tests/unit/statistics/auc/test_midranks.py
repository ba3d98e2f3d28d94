"""Midranks agree with counting pair by pair."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_unlearn.statistics.auc.placements import midranks

RNG = np.random.default_rng(0)


def counted(scores, strata, others):
    """Pair by pair, as defined: how many of the others of its stratum each example outscores, equals one half."""
    comparable = (strata[:, None] == strata[None, :]) & others[None, :]
    below = (scores[None, :] < scores[:, None]) & comparable
    equal = (scores[None, :] == scores[:, None]) & comparable
    return below.sum(axis=1) + 0.5 * equal.sum(axis=1)


@pytest.mark.parametrize("decimals", [0, 1, 12], ids=["mostly tied", "partly tied", "untied"])
@pytest.mark.parametrize("size", [1, 2, 7, 60])
def test_what_is_beaten_equals_a_count_of_pairs(size, decimals):
    for _ in range(20):
        scores = RNG.normal(size=size).round(decimals)
        strata, others = RNG.integers(0, 4, size), RNG.random(size) < 0.6
        assert (midranks(scores, strata).beaten(others) == counted(scores, strata, others)).all()
        assert (midranks(scores).beaten(others) == counted(scores, np.zeros(size), others)).all()


def test_ties_are_counted_within_strata_only():
    scores, strata = np.array([1.0, 1.0, 1.0, 2.0, 1.0]), np.array([0, 0, 1, 0, 1])
    ours = np.array([True, False, True, False, False])
    assert midranks(scores, strata).ties(ours, ~ours) == 2
    assert midranks(scores).ties(ours, ~ours) == 4


def test_zero_equals_minus_zero():
    both = np.array([0.0, -0.0])
    assert midranks(both).beaten(np.array([True, True])).tolist() == [1.0, 1.0]


def test_more_strata_than_sixteen_bits_number_are_kept_apart():
    strata = np.array([0, 1 << 16, 0, 1 << 16])
    assert midranks(np.array([1.0, 2.0, 3.0, 4.0]), strata).beaten(np.full(4, True)).tolist() == [0.5, 0.5, 1.5, 1.5]
