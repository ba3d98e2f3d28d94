"""Update leakage: releasing both models is a risk of retraining too; only what goes beyond it is the method's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from pytest_unlearn.attacks.attack import Pairing
from pytest_unlearn.attacks.learned import cross_fitted
from pytest_unlearn.attacks.registry import UPDATE_LEAKAGE
from pytest_unlearn.attacks.update_leakage import learned_update_leakage, release_risk, update_leakage
from pytest_unlearn.statistics import auc_measure
from tests.unit.attacks.gaussian import Population

PLAIN = Pairing()


def world(shift, unlearned_shift, n=20_000, references=4, seed=0):
    people = Population(n, n, seed=seed)
    original = people.model(shift)
    return people.model(unlearned_shift, original=original), people.models(references)


def test_releasing_both_models_has_its_closed_form_risk_for_exact_retraining():
    target, references = world(2.0, 0.0)
    scores = update_leakage(target, references, PLAIN)
    # two models differ by the shift, with a deviation of sqrt(2) on each side
    assert UPDATE_LEAKAGE.measure(release_risk(scores), PLAIN).value == pytest.approx(norm.cdf(2 / 2), abs=0.006)


def test_retraining_has_no_excess():
    target, references = world(2.0, 0.0)
    estimate = UPDATE_LEAKAGE.measure(update_leakage(target, references, PLAIN), PLAIN).at(0.95)
    assert estimate.value == pytest.approx(0.5, abs=0.01)
    assert estimate.low <= 0.5 <= estimate.high


def test_over_forgetting_is_an_excess_of_its_closed_form():
    target, references = world(2.0, -1.5)
    estimate = UPDATE_LEAKAGE.measure(update_leakage(target, references, PLAIN), PLAIN).at(0.95)
    assert estimate.value == pytest.approx(0.5 + norm.cdf(3.5 / 2) - norm.cdf(1.0), abs=0.01)
    assert estimate.low > 0.55


def test_doing_nothing_leaks_nothing_by_the_update_and_is_not_blamed_for_it():
    target, references = world(2.0, 0.0)
    target = replace(target.original, original=target.original)
    scores = update_leakage(target, references, PLAIN)
    assert scores.tie_share == 1.0
    assert UPDATE_LEAKAGE.sides == ("high",)


def test_the_learned_attack_finds_a_change_that_has_no_direction():
    # half of the forget set becomes surer and half less sure: the mean change is nothing, its size is not
    people = Population(3000, 3000, spread=1.0)
    original = people.model(0.0)
    flip = np.where(np.arange(3000) % 2, 6.0, -6.0)
    target, references = people.model(flip, original=original), people.models(2)
    plain = UPDATE_LEAKAGE.measure(update_leakage(target, references, PLAIN), PLAIN)
    learned = UPDATE_LEAKAGE.measure(learned_update_leakage(target, references, PLAIN), PLAIN)
    assert plain.value == pytest.approx(0.5, abs=0.03)
    assert learned.value > 0.8


def test_the_learned_attack_has_no_excess_over_retraining():
    target, references = world(2.0, 0.0, n=3000)
    estimate = UPDATE_LEAKAGE.measure(learned_update_leakage(target, references, PLAIN), PLAIN).at(0.95)
    assert estimate.low <= 0.5 <= estimate.high


@pytest.mark.parametrize("attack", [update_leakage, learned_update_leakage])
def test_without_the_original_there_is_no_update_to_look_at(attack):
    target, references = world(1.0, 0.0, n=40)
    with pytest.raises(ValueError, match="needs the original"):
        attack(replace(target, original=None), references, PLAIN)


def test_what_is_cross_fitted_is_blind_to_noise():
    rng = np.random.default_rng(0)
    values = []
    for _ in range(40):
        forget, controls = cross_fitted(rng.normal(size=(200, 12)), 100, PLAIN)
        values.append(auc_measure(forget, controls).value)
    # a classifier judged on what it was fitted on would reach about .67 here
    assert np.mean(values) == pytest.approx(0.5, abs=4 * np.std(values) / 40**0.5)
    assert np.mean(values) > 0.47
