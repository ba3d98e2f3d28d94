"""Simulations: weighted AUCs cover what controls of the forget set's law would show, by estimated odds too."""

import math

import numpy as np
import pytest
from scipy import special
from sklearn.linear_model import LogisticRegression

from pytest_unlearn.claims.common.propensity import log_odds
from pytest_unlearn.statistics import auc_measure, balancing_strata, folds, out_of_fold, overlapping, weighted_auc


def world(rng, m, n, by, leak):
    """Scores that follow a covariate, in which forget set and controls differ."""
    ages = rng.normal(by, 1, m), rng.normal(0, 1, n)
    scores = [0.7 * age + math.sqrt(1 - 0.7**2) * rng.normal(size=len(age)) for age in ages]
    return ages, (scores[0] + leak, scores[1])


def estimated(ages):
    """Odds out of fold by logistic regression, the model that the ages follow."""
    x, member = np.concatenate(ages)[:, None], np.repeat([1, 0], [len(part) for part in ages])

    def score(fitted, held):
        return LogisticRegression(C=1e6).fit(x[fitted], member[fitted]).decision_function(x[held])

    return np.exp(out_of_fold(folds(member), score)[len(ages[0]) :])


def coverage(measure, simulations, by=0.5, leak=0.0, m=100, n=300):
    rng, low, high = np.random.default_rng(0), 0, 0
    truth = special.ndtr(leak / math.sqrt(2))
    for _ in range(simulations):
        found = measure(*world(rng, m, n, by, leak)).at(0.95)
        low += found.low <= truth
        high += found.high >= truth
    return low / simulations, high / simulations


def by_known_odds(ages, scores):
    return weighted_auc(*scores, np.exp(0.5 * ages[1]))


def by_estimated_odds(ages, scores):
    return weighted_auc(*scores, estimated(ages))


def by_strata(ages, scores):
    kept = overlapping(*ages)
    ours, theirs = balancing_strata(ages[0][kept], ages[1])
    return auc_measure(scores[0][kept], scores[1], forget_strata=ours, control_strata=theirs)


@pytest.mark.parametrize("leak", [0.0, 0.75])
def test_with_known_odds_each_bound_covers(leak):
    assert min(coverage(by_known_odds, 1000, leak=leak)) >= 0.925


@pytest.mark.slow
@pytest.mark.parametrize("leak", [0.0, 0.75])
def test_with_odds_that_were_estimated_each_bound_covers(leak):
    assert min(coverage(by_estimated_odds, 400, leak=leak)) >= 0.93


@pytest.mark.slow
def test_a_stronger_shift_makes_intervals_wider_and_no_surer():
    low, high = coverage(lambda ages, scores: weighted_auc(*scores, np.exp(ages[1])), 1000, by=1.0, n=600)
    assert min(low, high) >= 0.92


def test_within_strata_honest_models_are_seldom_accused():
    low, high = coverage(by_strata, 300, by=0.5)
    assert min(low, high) >= 0.90  # a little of the shift is left


@pytest.mark.slow
def test_log_odds_are_those_of_two_normal_laws():
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.normal(1, 1, 1000), rng.normal(0, 1, 3000)])[:, None]
    member = np.repeat([1, 0], [1000, 3000])
    found = log_odds(x, np.zeros(4000, dtype=np.int64), member)
    truth = x[:, 0] - 0.5 + math.log(1 / 3)
    assert np.corrcoef(found, truth)[0, 1] > 0.97  # the forest gets no say where a line is right
    assert np.abs(found - truth).mean() < 0.3
