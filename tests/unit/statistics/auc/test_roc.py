"""tpr_at_fprs: the covariate-adjusted ROC curve, whose area is the stratified AUC."""

import numpy as np
import pytest
from scipy.integrate import trapezoid
from scipy.stats import norm
from sklearn.metrics import roc_curve

from pytest_unlearn.statistics import auc_measure, tpr_at_fprs
from tests.published.tpr import tpr_at_fpr

GRID = np.linspace(0, 1, 20001)


def area(tpr):
    return trapezoid(tpr, GRID)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_without_classes_it_is_the_usual_curve(seed):
    rng = np.random.default_rng(seed)
    forget, controls = rng.normal(0.5, 1, 200), rng.normal(size=300)
    fpr, tpr, _ = roc_curve(np.r_[np.ones(200), np.zeros(300)], np.r_[forget, controls], drop_intermediate=False)
    at = np.unique(fpr)
    assert tpr_at_fprs(forget, controls, at) == pytest.approx([tpr[fpr == rate].max() for rate in at], abs=1e-12)


def test_it_follows_the_binormal_closed_form():
    rng = np.random.default_rng(0)
    forget, controls = rng.normal(1, 1, 200_000), rng.normal(size=200_000)
    rates = np.array([0.001, 0.01, 0.1, 0.5])
    assert tpr_at_fprs(forget, controls, rates) == pytest.approx(norm.cdf(1 + norm.ppf(rates)), abs=0.004)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_area_is_the_stratified_auc(seed):
    rng = np.random.default_rng(seed)
    ours, theirs = rng.integers(0, 3, 150), rng.integers(0, 3, 400)
    forget, controls = rng.normal(3 * ours + 0.4, 1), rng.normal(3.0 * theirs, 1)  # classes differ in level
    expected = auc_measure(forget, controls, forget_strata=ours, control_strata=theirs).value
    found = tpr_at_fprs(forget, controls, GRID, forget_strata=ours, control_strata=theirs)
    assert area(found) == pytest.approx(expected, abs=1e-3)
    assert abs(area(tpr_at_fprs(forget, controls, GRID)) - expected) > 0.02  # without classes it is another number


def test_ties_count_against_the_attacker():
    assert tpr_at_fprs([1.0, 1.0], [1.0, 0.0], [0.0, 0.49, 0.5, 1.0]).tolist() == [0.0, 0.0, 1.0, 1.0]
    assert tpr_at_fprs(np.ones(5), np.ones(7), [0.99, 1.0]).tolist() == [0.0, 1.0]


def test_it_agrees_with_the_estimate_at_one_rate():
    rng = np.random.default_rng(3)
    forget, controls = rng.normal(1, 1, 300), rng.normal(size=1000)
    # The estimate's threshold lies above the (k+1)-th control, so k of 1,000 controls are accused.
    assert tpr_at_fprs(forget, controls, [0.01])[0] == tpr_at_fpr(forget, controls, 0.01, 0.95).value


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="stratum 2 of the forget set has no control"):
        tpr_at_fprs([1.0], [1.0], [0.5], forget_strata=[2], control_strata=[1])
    with pytest.raises(ValueError, match="forget"):
        tpr_at_fprs([np.nan], [1.0], [0.5])
