"""The p-value is the exact dual of the bounds."""

import math

import numpy as np
import pytest
from scipy import special

from pytest_unlearn.statistics import accuracy_gap, auc_measure, p_value, paired_difference

RNG = np.random.default_rng(0)
MEASURE = auc_measure(RNG.normal(0.4, 1, 80), RNG.normal(0, 1, 120))


def closed_form(measure, limit):
    error = math.sqrt(measure.variance) / (measure.value * (1 - measure.value))
    return 1 - special.ndtr((special.logit(measure.value) - special.logit(limit)) / error)


@pytest.mark.parametrize("limit", [0.3, 0.5, 0.55, 0.6])
def test_it_agrees_with_the_closed_form_on_the_high_side(limit):
    assert p_value(MEASURE, limit, "high") == pytest.approx(closed_form(MEASURE, limit), abs=1e-6)


@pytest.mark.parametrize("limit", [0.67, 0.7, 0.8])
def test_it_agrees_with_the_closed_form_on_the_low_side(limit):
    assert MEASURE.value < limit
    assert p_value(MEASURE, limit, "low") == pytest.approx(1 - closed_form(MEASURE, limit), abs=1e-6)


def test_it_is_one_when_the_estimate_is_not_beyond_the_limit():
    assert p_value(MEASURE, MEASURE.value + 0.01, "high") == 1.0
    assert p_value(MEASURE, MEASURE.value - 0.01, "low") == 1.0
    assert p_value(auc_measure([1.0, 1.0], [1.0, 1.0]), 0.4, "high") == 1.0


def test_it_is_small_and_floored_for_an_overwhelming_leak():
    assert p_value(auc_measure(np.arange(5000) + 9000, np.arange(5000)), 0.55, "high") == 1e-12


@pytest.mark.parametrize(
    "measure",
    [
        MEASURE,
        auc_measure(RNG.normal(1, 1, 6), RNG.normal(0, 1, 40)),
        auc_measure(np.arange(9) + 100, np.arange(30)),
        accuracy_gap(RNG.random(90) < 0.95, RNG.random(200) < 0.7),
        paired_difference(RNG.random(300) < 0.9, RNG.random(300) < 0.8),
        paired_difference(RNG.random(300) < 0.9, RNG.random((3, 300)) < 0.8),
    ],
)
def test_it_falls_as_the_limit_recedes_and_matches_the_bounds(measure):
    limits = np.linspace(measure.value - 0.5, measure.value, 25)
    p_values = [p_value(measure, limit, "high") for limit in limits]
    assert np.all(np.diff(p_values) >= 0)
    assert p_values[0] < 0.05
    for limit, p in zip(limits, p_values, strict=True):
        assert (measure.at(0.95).low > limit) == (p < 0.05)


@pytest.mark.parametrize(("limit", "side", "says"), [(math.nan, "high", "finite"), (0.5, "above", "side must be")])
def test_senseless_questions_are_refused(limit, side, says):
    with pytest.raises(ValueError, match=says):
        p_value(MEASURE, limit, side)
