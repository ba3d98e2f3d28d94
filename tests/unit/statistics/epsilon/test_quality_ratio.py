"""The ratio to retrained models: its interval covers, an exact method passes, and a shift is found."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pytest_unlearn.statistics import QualityRatio, quality_ratio


def sample(seed, models, examples, correlation=0.0, shift=0.0):
    """One normal value a model and example; `correlation` between the examples of a model."""
    rng = np.random.default_rng(seed)

    def draw(count):
        common = rng.normal(size=(count, 1))
        return np.sqrt(correlation) * common + np.sqrt(1 - correlation) * rng.normal(size=(count, examples))

    return draw(models) + shift, draw(2 * models)


def estimates(reps, *args, **kwargs):
    found = [quality_ratio(*sample(seed, *args, **kwargs)) for seed in range(reps)]
    true = np.mean([one.quality for one in found]) / np.mean([one.ceiling for one in found])
    return true, [one.at(0.95) for one in found]


@pytest.mark.slow
def test_equal_laws_pass_with_sixteen_models_and_a_large_shift_fails():
    true, found = estimates(2, 16, 60)
    assert true == pytest.approx(1, abs=0.15)
    assert all(0.75 < one.low < 1 < one.high for one in found)
    _, shifted = estimates(2, 16, 60, shift=2.0)
    assert all(one.high < 0.75 for one in shifted)


def test_few_models_of_few_examples_settle_nothing():
    _, found = estimates(2, 10, 1)
    assert all(one.low < 0.75 < one.high for one in found)


def test_laws_that_never_overlap_have_a_ratio_of_zero():
    ours, pool = sample(0, 10, 30, shift=50)
    ratio = quality_ratio(ours, pool)
    assert ratio.value == 0.0
    assert ratio.at(0.95).low == ratio.at(0.95).high == 0.0


def test_a_ceiling_of_zero_leaves_the_ratio_undefined():
    nothing = QualityRatio(
        quality=0.0, ceiling=0.0, variances=(0.0, 0.0), covariance=0.0, blocks=16, models=16, n_forget=9
    )
    assert math.isnan(nothing.value)
    assert (nothing.at(0.95).low, nothing.at(0.95).high) == (0.0, math.inf)


def test_the_bounds_are_fiellers():
    ratio = QualityRatio(
        quality=0.1, ceiling=0.2, variances=(1e-4, 4e-4), covariance=5e-5, blocks=10**9, models=16, n_forget=9
    )
    found = ratio.at(0.95)
    for bound in (found.low, found.high):
        spread = 1e-4 - 2 * bound * 5e-5 + bound**2 * 4e-4
        assert abs(0.1 - bound * 0.2) / spread**0.5 == pytest.approx(1.6448536, rel=1e-6)
    assert found.low < 0.5 < found.high


def test_the_same_models_give_the_same_bounds():
    pair = sample(0, 12, 20)
    assert quality_ratio(*pair) == quality_ratio(*pair)


@pytest.mark.parametrize(("ours", "theirs"), [(4, 8), (10, 10), (10, 21)])
def test_other_numbers_of_models_are_refused(ours, theirs):
    with pytest.raises(ValueError, match="twice as many"):
        quality_ratio(np.zeros((ours, 3)), np.zeros((theirs, 3)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("models", "examples", "correlation", "shift"),
    [
        (16, 60, 0.0, 0.0),
        (16, 60, 0.4, 0.7),
        (16, 20, 0.9, 0.7),
        *(
            pytest.param(*law, marks=pytest.mark.long)
            for law in ((16, 60, 0.0, 0.7), (16, 60, 0.4, 0.0), (32, 60, 0.2, 0.4))
        ),
    ],
)
def test_the_interval_covers(models, examples, correlation, shift):
    true, found = estimates(60, models, examples, correlation=correlation, shift=shift)
    assert np.mean([one.low > true for one in found]) <= 0.10
    assert np.mean([one.high < true for one in found]) <= 0.12


@pytest.mark.slow
@pytest.mark.parametrize("correlation", [0.0, 0.1, 0.4])
def test_an_exact_method_is_not_failed(correlation):
    _, found = estimates(60, 16, 60, correlation=correlation)
    assert sum(one.high < 0.75 for one in found) == 0
