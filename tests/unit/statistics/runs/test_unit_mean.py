"""The mean of numbers that are standard normal unless there is something to find."""

import numpy as np
import pytest
from scipy import stats

from pytest_unlearn.statistics import UnitMean


def test_z_is_the_scaled_mean_and_its_tail_normal():
    measure = UnitMean(values=np.array([1.0, 0.0, 2.0, 1.0]))
    assert measure.z == pytest.approx(2.0)
    assert measure.chance() == pytest.approx(stats.norm.sf(2.0))


def test_bounds_are_never_narrower_than_chance():
    tight = UnitMean(values=np.full(100, 0.3)).at(0.95)
    assert tight.high - tight.value == pytest.approx(0.16449, abs=1e-4)
    wide = UnitMean(values=np.tile([-5.0, 5.0], 50)).at(0.95)
    assert wide.high - wide.value > 5 * 0.16
    assert UnitMean(values=np.zeros(1)).at(0.95).high == pytest.approx(1.645, abs=1e-3)


def test_bounds_cover_the_mean_as_often_as_they_say():
    for mean in (0.0, 0.2):
        draws = [UnitMean(values=np.random.default_rng(seed).normal(mean, 1, 50)).at(0.95) for seed in range(1000)]
        assert np.mean([draw.high >= mean for draw in draws]) > 0.935
        assert np.mean([draw.low <= mean for draw in draws]) > 0.935


def test_values_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="not finite"):
        UnitMean(values=np.array([0.0, np.nan]))
