"""Learned attacks: as strong as the best combination, and blind where there is nothing to learn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from pytest_unlearn.attacks.attack import Pairing, auc_of_scores, cross_fitted_auc, gap_of_scores
from pytest_unlearn.attacks.learned import learned_attack, starting_kit_attack
from pytest_unlearn.core.evidence import Answers, Outputs, Scores
from tests.unit.attacks.gaussian import Population, answers

PLAIN = Pairing()


def test_it_finds_by_itself_that_references_explain_difficulty():
    people = Population(4000, 4000)
    target, references = people.model(2.0), people.models(4)
    found = auc_of_scores(learned_attack(target, references, PLAIN), PLAIN).value
    known = norm.cdf(2 / np.sqrt(2 * (1 + 1 / 4)))  # the difference to four references
    assert found > known - 0.03
    assert auc_of_scores(learned_attack(target, [], PLAIN), PLAIN).value < 0.75


def test_it_finds_a_deviation_in_both_directions():
    rng = np.random.default_rng(0)
    flip = np.where(rng.random(2000) < 0.5, 3.0, -3.0)
    target = answers(rng.normal(size=2000) + flip, rng.normal(size=2000))
    assert auc_of_scores(learned_attack(target, [], PLAIN), PLAIN).value > 0.9


@pytest.mark.slow
def test_it_learns_from_the_original_what_being_known_looks_like():
    # the original knows the forget set well, the model a little: too little to learn from by itself
    people = Population(150, 150, spread=0.5, seed=3)
    original, references = people.model(3.0), people.models(4)
    alone, taught = [], []
    for _ in range(20):
        target = people.model(0.4)
        alone.append(auc_of_scores(learned_attack(target, references, PLAIN), PLAIN).value)
        scores = learned_attack(replace(target, original=original), references, PLAIN)
        taught.append(auc_of_scores(scores, PLAIN).value)
    assert np.mean(taught) > np.mean(alone) + 0.02


@pytest.mark.slow
def test_taught_by_the_original_a_retrained_model_is_at_a_half_and_varies_less():
    alone, taught = [], []
    for seed in range(40):
        people = Population(150, 150, seed=seed)
        original, references, target = people.model(2.0), people.models(4), people.model()
        alone.append(auc_of_scores(learned_attack(target, references, PLAIN), PLAIN).value)
        scores = learned_attack(replace(target, original=original), references, PLAIN)
        taught.append(auc_of_scores(scores, PLAIN).value)
    assert np.mean(taught) == pytest.approx(0.5, abs=3 * np.std(taught) / 40**0.5)
    assert np.std(taught) < np.std(alone)


@pytest.mark.slow
@pytest.mark.parametrize("references", [0, 4])
def test_over_forty_retrained_models_it_is_at_a_half_and_its_interval_covers(references):
    values, covered, naive = [], [], []
    for seed in range(40):
        people = Population(150, 150, seed=seed)
        scores = learned_attack(people.model(), people.models(references), PLAIN)
        estimate = cross_fitted_auc(scores, PLAIN).at(0.95)
        naive.append(auc_of_scores(scores, PLAIN).at(0.95).low <= 0.5)
        values.append(estimate.value)
        covered.append((estimate.low <= 0.5, estimate.high >= 0.5))
    assert np.mean(values) == pytest.approx(0.5, abs=3.5 * np.std(values) / 40**0.5)
    assert (np.mean(covered, axis=0) >= 0.88).all()
    if references:  # many features: each pair of folds counts twice, and the plain interval is too narrow
        assert np.std(values) > 1.2 * (301 / (12 * 150 * 150)) ** 0.5
        assert np.mean(naive) < np.mean(covered, axis=0)[0]


def test_copies_of_an_example_do_not_teach_it():
    # ten people with thirty copies each: fitted on some copies, a classifier knows the others by heart
    rng = np.random.default_rng(0)
    values = np.repeat(rng.normal(size=20), 30)
    target = answers(values[:300], values[300:])
    groups = np.repeat(np.arange(20), 30)
    together = Pairing(forget_groups=groups[:300], control_groups=groups[300:])
    apart = auc_of_scores(learned_attack(target, [], PLAIN), PLAIN).at(0.95)
    kept = auc_of_scores(learned_attack(target, [], together), together).at(0.95)
    assert apart.low > 0.5
    assert kept.low <= 0.5


def test_further_queries_become_features():
    rng = np.random.default_rng(0)

    def side(shift):
        return Outputs(
            logits=rng.normal(size=(400, 2)), labels=np.zeros(400, dtype=int),
            asked={"gradient norm": rng.normal(size=400) + shift},
        )  # fmt: skip

    target = Answers(forget=side(2.0), controls=side(0.0))
    assert auc_of_scores(learned_attack(target, [], PLAIN), PLAIN).value > 0.85


def test_the_starting_kit_s_attack_is_a_balanced_accuracy():
    # losses of members N(0, 1) and strangers N(2, 1): the best threshold is right in Phi(1) of the cases
    rng = np.random.default_rng(0)
    n = 20_000
    forget, controls = rng.normal(5, 1, n), rng.normal(3, 1, n)  # confidence this high is minus the loss's logarithm
    target = answers(forget, controls)
    scores = starting_kit_attack(target, [], PLAIN)
    assert set(np.unique(scores.forget)) <= {0.0, 1.0}
    found = gap_of_scores(scores, PLAIN)
    assert found.value == pytest.approx((scores.forget.mean() + 1 - scores.controls.mean()) / 2)
    assert found.value == pytest.approx(norm.cdf(1.0), abs=0.05)


@pytest.mark.slow
def test_the_starting_kit_s_attack_is_judged_beyond_the_references():
    def judged(shift, seed):
        people = Population(200, 200, spread=0.5, seed=seed)
        return gap_of_scores(starting_kit_attack(people.model(shift), people.models(4), PLAIN), PLAIN).at(0.95)

    honest = [judged(0.0, seed) for seed in range(40)]
    assert np.mean([estimate.value for estimate in honest]) == pytest.approx(0.5, abs=0.015)
    assert np.mean([estimate.low <= 0.5 for estimate in honest]) >= 0.85
    assert judged(3.0, 0).low > 0.6


def test_what_was_learned_from_the_examples_it_tells_apart_counts_twice():
    rng = np.random.default_rng(0)
    scores = Scores(forget=rng.normal(0.3, 1, 120), controls=rng.normal(0, 1, 150))
    people = Pairing(forget_groups=np.arange(120) // 2, control_groups=np.arange(150) // 3)
    for pairing in (PLAIN, people):
        once, twice = auc_of_scores(scores, pairing), cross_fitted_auc(scores, pairing)
        for part in ("forget_variance", "control_variance", "covariance"):
            assert getattr(twice, part) == pytest.approx(2 * getattr(once, part), rel=1e-12)
        assert twice.null_error == pytest.approx(np.sqrt(2) * once.null_error, rel=1e-12)
        assert twice.value == once.value
