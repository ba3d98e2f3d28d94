"""Ranks among innocent models: exact p-values, whatever the statistic's law."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_unlearn.statistics import empirical_null


def test_a_value_above_all_of_eight_has_the_smallest_p_there_is():
    null = empirical_null(0.9, np.linspace(0.4, 0.6, 8))
    assert (null.above, null.p_high, null.p_low, null.p) == (0, 1 / 9, 1.0, 2 / 9)
    assert (null.lowest, null.highest, null.models) == (0.4, 0.6, 8)


def test_ties_count_against_it_on_both_sides():
    null = empirical_null(0.5, [0.5] * 8)
    assert (null.above, null.p_high, null.p_low, null.p) == (0, 1.0, 1.0, 1.0)


@pytest.mark.parametrize("law", ["normal", "cauchy", "coin"])
def test_an_innocent_model_is_as_unusual_as_it_says(law):
    rng = np.random.default_rng(0)
    draw = {
        "normal": lambda: rng.normal(size=20),
        "cauchy": lambda: rng.standard_cauchy(size=20),
        "coin": lambda: rng.integers(0, 2, size=20).astype(float),
    }[law]
    found = [empirical_null(values[0], values[1:]) for values in (draw() for _ in range(20_000))]
    for level in (0.05, 0.1, 0.5):
        assert np.mean([null.p_high <= level for null in found]) <= level + 3 * (level * (1 - level) / 20_000) ** 0.5
        assert np.mean([null.p <= level for null in found]) <= level + 3 * (level * (1 - level) / 20_000) ** 0.5
    if law == "normal":  # without ties they are not conservative either
        assert np.mean([null.p_high <= 0.05 for null in found]) == pytest.approx(0.05, abs=0.005)


@pytest.mark.parametrize(
    ("value", "others", "says"),
    [(0.5, [0.5] * 7, "needs 8 retrained models or more, not 7"), (np.nan, [0.5] * 8, "finite number"),
     (0.5, [np.inf] * 8, "finite")],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(value, others, says):
    with pytest.raises(ValueError, match=says):
        empirical_null(value, others)
