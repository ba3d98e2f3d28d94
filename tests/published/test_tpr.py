"""TPR at a low FPR: the threshold, ties, and where the quantity does not exist."""

import numpy as np
import pytest
from scipy import special

from pytest_unlearn.statistics import clopper_pearson
from tests.published.tpr import tpr_at_fpr


def test_the_threshold_is_the_next_largest_control_and_must_be_exceeded():
    controls = np.arange(100.0)  # 3 % of 100: the threshold is the fourth largest, 96
    estimate = tpr_at_fpr([95.0, 96.0, 96.5, 97.0, 200.0], controls, 0.03, 0.95)
    assert estimate.value == pytest.approx(3 / 5)
    assert (estimate.low, estimate.high) == clopper_pearson(3, 5, 0.95, two_sided=False)
    assert (estimate.n_forget, estimate.n_controls) == (5, 100)


def test_rounding_does_not_move_the_threshold():
    controls = np.arange(100.0)  # 0.29 * 100 is 28.999999999999996
    assert tpr_at_fpr([70.5, 69.5], controls, 0.29, 0.95).value == 0.5


def test_ties_count_against_the_attacker():
    assert tpr_at_fpr(np.ones(10), np.ones(1000), 0.01, 0.95).value == 0.0


@pytest.mark.parametrize(("n", "fpr", "defined"), [(99, 0.01, False), (100, 0.01, True), (1000, 0.001, True)])
def test_it_is_undefined_below_the_controls_resolution(n, fpr, defined):
    assert (tpr_at_fpr([1.0], np.arange(n), fpr, 0.95) is not None) is defined


def test_it_converges_to_its_closed_form():
    rng = np.random.default_rng(0)
    estimate = tpr_at_fpr(rng.normal(2, 1, 100_000), rng.normal(0, 1, 400_000), 0.01, 0.95)
    assert estimate.value == pytest.approx(special.ndtr(2 + special.ndtri(0.01)), abs=0.01)
    assert special.ndtr(2 + special.ndtri(0.01)) == pytest.approx(0.3721, abs=5e-5)


def test_it_equals_the_false_positive_rate_after_perfect_unlearning():
    rng = np.random.default_rng(0)
    assert tpr_at_fpr(rng.random(50_000), rng.random(50_000), 0.05, 0.95).value == pytest.approx(0.05, abs=0.005)


@pytest.mark.parametrize(("fpr", "confidence"), [(0.0, 0.95), (1.0, 0.95), (0.01, 0.4)])
def test_rates_outside_their_range_are_refused(fpr, confidence):
    with pytest.raises(ValueError, match="strictly between"):
        tpr_at_fpr([1.0], [1.0], fpr, confidence)
