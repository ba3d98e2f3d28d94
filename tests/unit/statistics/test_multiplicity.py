"""Holm's step-down adjustment."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_unlearn.statistics import holm


def test_it_reproduces_the_textbook_example_in_the_input_order():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02], atol=1e-15)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_it_adjusts_upwards_between_no_correction_and_bonferroni_and_keeps_the_order(p_values):
    raw, adjusted = np.array(p_values), holm(p_values)
    assert np.all(adjusted >= raw)
    assert np.all(adjusted <= np.minimum(1.0, raw * raw.size) + 1e-15)
    assert np.all(np.diff(adjusted[np.argsort(raw, kind="stable")]) >= 0)


def test_a_true_null_is_rejected_no_more_often_than_alpha():
    rng = np.random.default_rng(0)
    errors = np.mean([holm(rng.random(10)).min() <= 0.05 for _ in range(4000)])
    assert errors == pytest.approx(1 - (1 - 0.005) ** 10, abs=0.012)


@pytest.mark.parametrize("p_values", [[], [0.1, 1.2], [-0.1], [np.nan]])
def test_what_is_not_a_p_value_is_refused(p_values):
    with pytest.raises(ValueError, match="p_values"):
        holm(p_values)
