"""One sort of all scores gives the same AUC and variance as the placements, exactly, with ties or without."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_unlearn.statistics import auc_measure
from pytest_unlearn.statistics.auc.placement_sums import placement_sums
from pytest_unlearn.statistics.auc.placements import placements

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
    assert (sums.half_wins, sums.forget_squares, sums.control_squares) == (10, 4 * 9, 4 * 1)
    assert sums.auc == 5 / 6


def test_a_tie_by_hand():
    sums = placement_sums(np.array([1.0, 2.0]), np.array([1.0, 0.0]))
    # 1 beats one control and a half, 2 both; the control 1 is below one forget example and a half, 0 below both
    assert (sums.half_wins, sums.forget_squares, sums.control_squares) == (7, 9 + 16, 1 + 0)
    assert sums.auc == 7 / 8


TIED = st.lists(st.integers(-9, 9), min_size=4, max_size=60)


@settings(deadline=None, max_examples=200)
@given(TIED, st.integers(2, 58), st.sampled_from([1.0, 0.1, 1e-100, 1e100]), st.booleans())
def test_ties_count_as_in_the_placements(scores, cut, scale, nearly):
    values = np.array(scores) * scale
    if nearly:  # some are told apart by the last bit only
        values[::3] = np.nextafter(values[::3], np.inf) if scale < 1e-99 else values[::3] * (1.0 + 2**-52)
    values = values[(values == 0.0) | (np.abs(values) > 1e-150)]
    if len(values) < 4:
        return
    cut = min(cut, len(values) - 2)
    forget, controls = values[:cut], values[cut:]
    sums = placement_sums(forget, controls)
    v10, v01 = placements(forget, controls)
    assert sums is not None
    assert sums.auc == pytest.approx(v10.mean(), rel=1e-14)
    assert sums.forget_variance == pytest.approx(v10.var(ddof=1) / len(v10), rel=1e-12, abs=1e-17)
    assert sums.control_variance == pytest.approx(v01.var(ddof=1) / len(v01), rel=1e-12, abs=1e-17)


@pytest.mark.parametrize(
    ("forget", "controls"),
    [
        ([1.0, 2.0], [2.0, 3.0]),
        ([-0.0, 1.0], [0.0, 2.0]),
        ([1.0, 3.0], [np.nextafter(1.0, 2.0), 2.0]),  # told apart by the last bit only
        ([5e-324, 1.0], [0.0, 2.0]),
        ([1e300, 1.0], [1e300, 2.0]),
        ([-1e300, 1e-300], [-1e300, 0.0]),
    ],
)
def test_ties_and_what_is_nearly_one_count_a_half_or_not(forget, controls):
    value = auc_measure(forget, controls).value
    assert value == np.mean([(f > c) + (f == c) / 2 for f in forget for c in controls])


@pytest.mark.parametrize(("forget", "controls"), [([5e-324, 1.0], [0.0, 2.0]), ([1e300, 1.0], [1e300, 2.0])])
def test_numbers_that_leave_no_bit_for_the_side_are_left_to_the_placements(forget, controls):
    assert placement_sums(np.array(forget), np.array(controls)) is None


@pytest.mark.parametrize("digits", [1, 3, 17])
def test_strata_one_by_one_measure_the_same(digits):
    rng = np.random.default_rng(0)
    forget, controls = rng.normal(0.3, size=2_000).round(digits), rng.normal(size=30_000).round(digits)
    ours, theirs = rng.integers(0, 3, 2_000), rng.integers(0, 5, 30_000)  # two strata have no forget example
    quick = auc_measure(forget, controls, forget_strata=ours, control_strata=theirs)
    names = [f"person {k}" for k in range(32_000)]  # everyone alone: the placements are asked
    slow = auc_measure(
        forget,
        controls,
        forget_strata=ours,
        control_strata=theirs,
        forget_groups=names[:2_000],
        control_groups=names[2_000:],
    )
    for name in type(quick).__slots__:
        assert getattr(quick, name) == pytest.approx(getattr(slow, name), rel=1e-11, abs=1e-18), name


@pytest.mark.parametrize(("m", "n"), [(300, 500), (40_000, 70_000), (2, 65_536)])
def test_the_measure_is_the_same_by_either_way(m, n):
    rng = np.random.default_rng(0)
    forget, controls = rng.normal(0.3, size=m), rng.normal(size=n)
    quick = auc_measure(forget, controls)
    groups = np.arange(m + n)  # everyone alone: the placements are asked
    slow = auc_measure(forget, controls, forget_groups=groups[:m], control_groups=groups[m:])
    for name in type(quick).__slots__:
        assert getattr(quick, name) == pytest.approx(getattr(slow, name), rel=1e-12), name


def test_perfect_separation_has_no_variance():
    sums = placement_sums(np.arange(5.0) + 10, np.arange(7.0))
    assert (sums.auc, sums.forget_variance, sums.control_variance) == (1.0, 0.0, 0.0)


def test_counts_whose_squares_do_not_fit_are_left_to_the_placements():
    few, many = np.arange(2.0), np.broadcast_to(0.5, 2**31)
    assert placement_sums(few, many) is None
