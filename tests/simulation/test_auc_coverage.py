"""Simulations: one-sided bounds cover at the confidence they name, and a gate errs no more often than it says."""

import math

import numpy as np
import pytest
from scipy import special

from pytest_unlearn.statistics import auc_measure

CASES = [(n, a) for n in (50, 200) for a in (0.5, 0.7, 0.9)]


def coverage(n_forget, n_controls, a, simulations):
    """How often each one-sided 95% bound holds for equal-variance normal scores, and how often the gate would pass."""
    rng = np.random.default_rng(0)
    shift = math.sqrt(2) * special.ndtri(a)
    low = high = passes = 0
    for _ in range(simulations):
        estimate = auc_measure(rng.normal(shift, 1, n_forget), rng.normal(0, 1, n_controls)).at(0.95)
        low += estimate.low <= a
        high += estimate.high >= a
        passes += estimate.high <= 0.55
    return low / simulations, high / simulations, passes / simulations


@pytest.mark.slow
@pytest.mark.parametrize(("n", "a"), CASES)
def test_each_bound_covers_at_its_confidence(n, a):
    low, high, _ = coverage(n, n, a, 20_000)
    assert 0.943 <= low <= 0.960
    assert 0.943 <= high <= 0.960


@pytest.mark.parametrize(("n", "a"), [case for case in CASES if case[0] == 50])
def test_each_bound_covers_within_the_error_of_a_short_simulation(n, a):
    # .943 to .960 as above, widened by three standard errors (.005) of 4,000 simulations over 20,000.
    low, high, _ = coverage(n, n, a, 4000)
    assert 0.935 <= low <= 0.967
    assert 0.935 <= high <= 0.967


@pytest.mark.slow
@pytest.mark.parametrize("a", [0.5, 0.55, 0.7, 0.9])
@pytest.mark.parametrize("n_forget", [4, 8, 15])
def test_a_handful_of_forget_examples_does_not_undercover(n_forget, a):
    low, high, _ = coverage(n_forget, 1000, a, 1000)
    assert low >= 0.94
    assert high >= 0.94


@pytest.mark.parametrize(("n_forget", "n_controls"), [(8, 1000), (50, 500), (200, 200)])
def test_a_model_at_the_limit_passes_hardly_more_often_than_alpha(n_forget, n_controls):
    passes = coverage(n_forget, n_controls, 0.55, 2000)[2]
    assert passes <= 0.06


def test_a_model_that_forgot_passes_as_often_as_planned():
    assert coverage(500, 500, 0.5, 800)[2] == pytest.approx(0.879, abs=0.035)


def test_stratified_bounds_cover_with_many_small_strata():
    rng = np.random.default_rng(0)
    strata, theirs = np.arange(60) % 25, np.arange(250) % 25
    held = np.zeros(2)
    for _ in range(1000):
        forget, controls = rng.normal(0.3, 1, 60) + strata, rng.normal(0, 1, 250) + theirs
        estimate = auc_measure(forget, controls, forget_strata=strata, control_strata=theirs).at(0.95)
        held += estimate.low <= special.ndtr(0.3 / math.sqrt(2)), estimate.high >= special.ndtr(0.3 / math.sqrt(2))
    assert np.all(held / 1000 >= 0.93)
    assert np.all(held / 1000 <= 0.975)
