"""One sort of all scores gives the same AUC and variance as the placements, exactly, where nothing ties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_unlearn.statistics import auc_measure
from pytest_unlearn.statistics.auc.placements import placement_sums, placements

SCORES = st.lists(st.integers(-(2**40), 2**40), min_size=4, max_size=60, unique=True)


@settings(deadline=None, max_examples=200)
@given(SCORES, st.integers(2, 58), st.sampled_from([1.0, 1e-300, 1e-7, 1e280]))
def test_they_are_those_of_the_placements(scores, cut, scale):
    values = np.array(scores) * scale
    cut = min(cut, len(values) - 2)
    forget, controls = values[:cut], values[cut:]
    sums = placement_sums(forget, controls)
    v10, v01 = placements(forget, controls)
    assert sums is not None
    assert sums.auc == pytest.approx(v10.mean(), rel=1e-14)
    assert sums.forget_variance == pytest.approx(v10.var(ddof=1) / len(v10), rel=1e-12, abs=1e-17)
    assert sums.control_variance == pytest.approx(v01.var(ddof=1) / len(v01), rel=1e-12, abs=1e-17)


def test_a_case_by_hand():
    sums = placement_sums(np.array([1.0, 3.0, 5.0]), np.array([0.0, 2.0]))
    # 1 beats one control, 3 and 5 beat two each; below 0 there is no forget example, below 2 there is one
    assert (sums.beaten, sums.forget_squares, sums.control_squares) == (5, 9, 1)
    assert sums.auc == 5 / 6


@pytest.mark.parametrize(
    ("forget", "controls"),
    [
        ([1.0, 2.0], [2.0, 3.0]),
        ([1.0, 1.0], [2.0, 3.0]),
        ([-0.0, 1.0], [0.0, 2.0]),
        ([1.0, 3.0], [np.nextafter(1.0, 2.0), 2.0]),  # told apart by the last bit only
        ([5e-324, 1.0], [0.0, 2.0]),
    ],
)
def test_ties_and_what_is_nearly_one_are_left_to_the_placements(forget, controls):
    assert placement_sums(np.array(forget), np.array(controls)) is None
    value = auc_measure(forget, controls).value
    assert value == np.mean([(f > c) + (f == c) / 2 for f in forget for c in controls])


@pytest.mark.parametrize(("m", "n"), [(300, 500), (40_000, 70_000), (2, 65_536)])
def test_the_measure_is_the_same_by_either_way(m, n):
    rng = np.random.default_rng(0)
    forget, controls = rng.normal(0.3, size=m), rng.normal(size=n)
    quick = auc_measure(forget, controls)
    slow = auc_measure(forget, controls, forget_strata=np.zeros(m), control_strata=np.zeros(n))
    for name in type(quick).__slots__:
        assert getattr(quick, name) == pytest.approx(getattr(slow, name), rel=1e-12), name


def test_perfect_separation_has_no_variance():
    sums = placement_sums(np.arange(5.0) + 10, np.arange(7.0))
    assert (sums.auc, sums.forget_variance, sums.control_variance) == (1.0, 0.0, 0.0)


def test_counts_whose_squares_do_not_fit_are_left_to_the_placements():
    few, many = np.arange(2.0), np.broadcast_to(0.5, 2**31)
    assert placement_sums(few, many) is None
