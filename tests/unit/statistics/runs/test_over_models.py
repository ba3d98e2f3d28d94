"""Means over models: intervals that cover what the method does on average, by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pytest_unlearn.statistics import ModelsMeasure, auc_measure, over_models


def measure(values, errors=0.0, same=False):
    values = np.asarray(values, dtype=float)
    return ModelsMeasure(
        values=values, example_errors=np.broadcast_to(float(errors), values.shape), same_examples=same,
        n_forget=10, n_controls=10,
    )  # fmt: skip


def test_the_interval_is_students_over_models():
    values = [0.5, 0.52, 0.47, 0.55]
    half = stats.t.ppf(0.95, 3) * np.std(values, ddof=1) / 2
    estimate = measure(values).at(0.95)
    assert (estimate.low, estimate.high) == pytest.approx((np.mean(values) - half, np.mean(values) + half))


def test_models_that_agree_by_luck_are_not_believed_to_vary_less_than_examples_do():
    assert measure([0.5, 0.5, 0.5], errors=0.03).standard_error == pytest.approx(0.03 / 3**0.5)
    assert measure([0.4, 0.6, 0.5], errors=0.03).standard_error == pytest.approx(0.1 / 3**0.5)


def test_on_the_same_examples_no_number_of_models_averages_their_error_away():
    assert measure([0.5] * 100, errors=0.03, same=True).standard_error == pytest.approx(0.03)
    both = measure([0.4, 0.6], errors=0.03, same=True).standard_error
    assert both == pytest.approx((0.02 / 2 + 0.03**2) ** 0.5)


def test_as_many_models_as_it_asks_for_have_the_power_that_was_asked_for():
    needed = measure([0.45, 0.55] * 5).needed(0.03, 0.95, 0.8)
    spread = np.std([0.45, 0.55] * 5, ddof=1)
    assert needed == np.ceil((spread * (stats.norm.ppf(0.95) + stats.norm.ppf(0.8)) / 0.03) ** 2)
    assert measure([0.45, 0.55] * 5).needed(0.06, 0.95, 0.8) < needed
    assert measure([0.45, 0.55] * 5, errors=0.01, same=True).needed(0.03, 0.95, 0.8) > needed
    assert measure([0.45, 0.55] * 5, errors=0.03, same=True).needed(0.03, 0.95, 0.8) is None


def test_a_single_model_settles_nothing():
    estimate = measure([0.5]).at(0.95)
    assert (estimate.low, estimate.high, estimate.method) == (0.0, 1.0, "undefined: a single model")
    with pytest.raises(ValueError, match="at least one"):
        over_models([], same_examples=False)


def run(rng, seed_spread, leak, n=60):
    """One run's AUC on a draw of its own: `seed_spread` is how much the method's leak varies with its seed."""
    return auc_measure(rng.normal(leak + seed_spread * rng.normal(), 1, n), rng.normal(size=n))


@pytest.mark.slow
@pytest.mark.parametrize("runs", [3, 5, 10])
@pytest.mark.parametrize("spread", [0.0, 0.5])
def test_bounds_cover_the_mean_over_seeds(runs, spread):
    rng = np.random.default_rng(0)
    truth = stats.norm.cdf(0.4 / (2 + spread**2) ** 0.5)  # the mean AUC over seeds
    found = [
        over_models([run(rng, spread, 0.4) for _ in range(runs)], same_examples=False).at(0.95) for _ in range(600)
    ]
    assert np.mean([one.low <= truth for one in found]) >= 0.93
    assert np.mean([one.high >= truth for one in found]) >= 0.93
    if runs == 10:  # and they are not much wider than they must be
        assert np.mean([one.low <= truth <= one.high for one in found]) <= 0.95


def test_without_the_spread_of_seeds_they_would_not():
    rng = np.random.default_rng(0)
    truth = stats.norm.cdf(0.4 / (2 + 0.5**2) ** 0.5)
    missed = 0
    for _ in range(300):
        one = run(rng, 0.5, 0.4).at(0.95)  # a single model, its examples the only thing that varies
        missed += one.low > truth
    assert missed / 300 > 0.15


def test_on_the_same_examples_bounds_cover_the_mean_over_examples_and_seeds():
    rng = np.random.default_rng(0)
    truth, held = stats.norm.cdf(0.5 / 2**0.5), []
    for _ in range(300):
        forget, controls = rng.normal(0.5, 0.9, 60), rng.normal(0, 0.9, 60)  # levels, and 0.19 of variance by seeds
        noise = (1 - 0.81) ** 0.5
        measures = [
            auc_measure(forget + noise * rng.normal(size=60), controls + noise * rng.normal(size=60)) for _ in range(5)
        ]
        estimate = over_models(measures, same_examples=True).at(0.95)
        held.append((estimate.low <= truth, estimate.high >= truth))
    assert (np.mean(held, axis=0) >= 0.93).all()
