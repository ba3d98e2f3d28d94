"""Epsilon where no threshold was fixed: jax_privacy's asserted values, and the strict bound beside them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special

from pytest_unlearn.statistics import epsilon_of_mu
from tests.published.epsilon_hull import epsilon_hull, epsilon_thresholds
from tests.published.epsilon_one_run import epsilon_one_run
from tests.published.one_run_gaussian import refutes_mu

GRID = [2**k for k in range(5, 14)]  # numbers of guesses that need no look at the scores


def normals(shift, n=10_000):
    """Members and strangers at the mid-quantiles of a normal law, as jax_privacy's tests draw them."""
    quantiles = special.ndtri((np.arange(n) + 0.5) / n)
    return quantiles + shift, quantiles


@pytest.mark.parametrize(
    ("shift", "any_law", "gaussian"),
    [(0, 0.0, 0.0), (1, 1.13346, 2.164749), (2, 2.311945, 4.7218075), (4, 4.395568, 9.133752)],
)
def test_the_published_values_of_shifted_normals(shift, any_law, gaussian):
    assert epsilon_hull(*normals(shift), delta=1e-6).low == pytest.approx(any_law, rel=1e-6)
    assert epsilon_hull(*normals(shift), delta=1e-6, gaussian=True).low == pytest.approx(gaussian, rel=1e-6)


def test_it_says_what_it_assumes():
    assert "fair coin" in epsilon_hull(*normals(1, 50)).assumes
    assert "Gaussian" in epsilon_hull(*normals(1, 50), gaussian=True).assumes
    assert "as published" in epsilon_hull(*normals(1, 50)).method


def test_vertices_of_the_hull_are_counted_with_ties_and_without_points_on_an_edge():
    # accused and caught: (0,0) (0,1) (2,3) (4,4), and (0,0) (0,1) (4,4)
    for forget, controls, vertices, (correct, guesses) in (
        ([0, 1, 1, 2], [0, 0, 1, 1], 4, (1, 1)),
        ([0, 0, 1, 2], [0, 1, 1, 1], 3, (1, 1)),
    ):
        forget, controls = np.repeat(forget, 40), np.repeat(controls, 40)
        expected = epsilon_one_run(40 * correct, 40 * guesses, 1 - 0.05 / vertices, 1e-6, examples=320).low
        assert epsilon_hull(forget, controls, delta=1e-6).low == pytest.approx(expected, rel=1e-9)


def test_scores_that_do_not_vary_refute_nothing():
    for bound in (epsilon_hull, epsilon_thresholds):
        assert bound(np.zeros(500), np.zeros(500), delta=0.0).low == 0.0
    assert epsilon_hull(np.zeros(500), np.zeros(500), gaussian=True).low == 0.0


def test_conspicuous_forgetting_is_seen_with_the_scores_turned_round():
    forget, controls = normals(-2, 500)
    assert epsilon_hull(forget, controls).low == 0.0
    assert epsilon_hull(-forget, -controls).low > 1.0


@pytest.mark.parametrize("delta", [0.0, 1e-4])
def test_the_strict_bound_is_the_best_single_one_at_a_share_of_the_level(delta):
    rng = np.random.default_rng(0)
    forget, controls = rng.normal(2, 1, 30), rng.normal(size=20)
    for guesses in (range(1, 51), [5, 10, 25]):
        member = np.repeat([1, 0], [30, 20])[np.argsort(-np.concatenate([forget, controls]))]
        single = [
            epsilon_one_run(int(member[:k].sum()), k, 1 - 0.05 / len(guesses), delta, examples=50).low for k in guesses
        ]
        assert epsilon_thresholds(forget, controls, delta=delta, guesses=guesses).low == pytest.approx(
            max(single), rel=1e-9
        )
    assert epsilon_thresholds(forget, controls, delta=0.0) == epsilon_thresholds(
        forget[::-1], controls[::-1], delta=0.0
    )


def test_a_few_numbers_of_guesses_chosen_beforehand_beat_both_the_hull_and_all_thresholds():
    scores = normals(1)
    few, hull, every = (
        epsilon_thresholds(*scores, delta=1e-6, guesses=GRID),
        epsilon_hull(*scores, delta=1e-6),
        epsilon_thresholds(*scores, delta=1e-6),
    )
    assert few.low > 1.8 * hull.low > every.low == 0.0
    assert few.low < epsilon_of_mu(1.0, 1e-6)


def test_ties_count_against_the_attacker():
    assert epsilon_thresholds(np.r_[np.ones(50), np.zeros(50)], np.zeros(100), delta=0.0, guesses=[50]).low > 2
    assert epsilon_thresholds(np.ones(50), np.ones(50), delta=0.0, guesses=[50]).low == 0.0


def test_a_perfect_attack_reaches_the_ceiling():
    forget, controls = np.arange(200.0) + 1000, np.arange(300.0)
    for bound in (
        epsilon_hull(forget, controls),
        epsilon_hull(forget, controls, gaussian=True),
        epsilon_thresholds(forget, controls, delta=0.0),
        epsilon_thresholds(forget, controls, guesses=[10, 100]),
    ):
        assert bound.low == pytest.approx(bound.ceiling, rel=1e-6)
        assert bound.low > 2


def test_randomised_response_is_refuted_by_the_strict_bound_at_most_as_often_as_allowed():
    rng, wrong = np.random.default_rng(0), 0
    for _ in range(200):
        member = rng.random(200) < 0.5
        answer = np.where(rng.random(200) < special.expit(1.0), member, ~member)
        scores = answer + 0.0
        wrong += epsilon_thresholds(scores[member], scores[~member], delta=0.0, guesses=[25, 50, 100]).low > 1.0
    assert wrong / 200 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 200)


def test_a_gaussian_mechanism_of_no_privacy_loss_is_refuted_only_by_more_than_chance():
    assert not refutes_mu(500, 1000, 0.0, 0.05, 1000)
    assert refutes_mu(600, 1000, 0.0, 0.05, 1000)
    assert not refutes_mu(0, 10, 0.0, 0.05, 1000)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: epsilon_hull([], [1.0]), "empty"),
        (lambda: epsilon_hull([np.nan], [1.0]), "not finite"),
        (lambda: epsilon_hull([1.0], [0.0], 0.4), "confidence"),
        (lambda: epsilon_hull([1.0], [0.0], delta=1.0), "delta is 1.0"),
        (lambda: epsilon_hull(*normals(3, 500), delta=0.0, gaussian=True), "choose a delta"),
        (lambda: epsilon_thresholds([1.0], [0.0], guesses=[3]), "between 1 and 2"),
        (lambda: epsilon_thresholds([1.0], [0.0], guesses=[0]), "between 1 and 2"),
        (lambda: epsilon_thresholds([1.0], [0.0], guesses=[]), "between 1 and 2"),
    ],
)
def test_what_makes_no_sense_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()
