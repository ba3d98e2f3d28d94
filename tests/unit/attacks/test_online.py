"""Online attacks in a world whose laws are known: they find what is there, and nothing in a model that saw neither."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from pytest_unlearn.attacks.attack import Pairing
from pytest_unlearn.attacks.online import LEAST_MODELS, Shadows, draw_halves, membership_ratios, online_ratio
from pytest_unlearn.attacks.signals import hinge_margin
from pytest_unlearn.core.evidence import Answers, Outputs
from pytest_unlearn.statistics import auc, auc_measure

FORGET, CONTROLS, BESIDE = 40, 120, 400


def world(seed, models, *, shift=2.0, spread=3.0, forget=FORGET, controls=CONTROLS):
    """Shadow models' statistics, what each saw, and a function that draws a model that saw a given part."""
    rng = np.random.default_rng(seed)
    count = forget + controls
    level, effect = rng.normal(0, spread, size=count), shift * rng.exponential(size=count)
    included = draw_halves(np.arange(count), models, rng)

    def model(seen):
        return level + np.where(seen, effect, 0.0) + rng.normal(size=count)

    return np.array([model(one) for one in included]), included, model


def answers(margin, cut):
    """Answers of two classes whose margin for the first, which is everybody's label, is this."""
    logits = np.column_stack([margin, np.zeros_like(margin)])
    parts = [Outputs(logits=part, labels=np.zeros(len(part), dtype=np.int64)) for part in np.split(logits, cut)]
    return Answers(forget=parts[0], controls=parts[1], beside=parts[2] if len(parts) > 2 else None)


@pytest.mark.parametrize("models", [4, 8, 16])
def test_each_example_is_in_half_of_the_models(models):
    halves = draw_halves(np.arange(33), models, np.random.default_rng(0))
    assert halves.shape == (models, 33)
    assert (halves.sum(axis=0) == models // 2).all()


def test_what_is_deleted_together_is_in_or_out_together():
    units = np.array([0, 0, 1, 1, 1, 2, 7, 7])
    halves = draw_halves(units, 8, np.random.default_rng(1))
    for unit in np.unique(units):
        assert (halves[:, units == unit] == halves[:, units == unit][:, :1]).all()


def test_one_unit_is_in_half_of_the_models_too():
    halves = draw_halves(np.zeros(5, dtype=int), 4, np.random.default_rng(0))
    assert (halves.sum(axis=0) == 2).all()


def test_with_many_models_it_comes_near_the_oracle():
    """Of one effect for all, a shift of d standard deviations makes Phi(d / sqrt(2))."""
    rng, count, shift = np.random.default_rng(0), 4000, 2.0
    level, member = rng.normal(0, 3, size=count), np.arange(count) < count // 2
    included = draw_halves(np.arange(count), 64, rng)
    models = level + shift * included + rng.normal(size=included.shape)
    scores = membership_ratios(level + shift * member + rng.normal(size=count), models, included)
    assert auc(scores[member], scores[~member]) == pytest.approx(special.ndtr(shift / 2**0.5), abs=0.02)


@pytest.mark.parametrize("models", [4, 8, 16])
def test_it_sees_more_than_a_difference_to_models_without_the_example(models):
    gains = []
    for seed in range(20):
        shadows, included, model = world(seed, models)
        target = model(np.arange(FORGET + CONTROLS) < FORGET)
        without = (shadows * ~included).sum(axis=0) / (~included).sum(axis=0)
        online, offline = (
            auc(one[:FORGET], one[FORGET:]) for one in (membership_ratios(target, shadows, included), target - without)
        )
        gains.append(online - offline)
    assert np.mean(gains) > 0.02


@pytest.mark.parametrize("models", [4, 16])
@pytest.mark.parametrize("forget", [8, 40])
def test_a_model_that_saw_neither_is_at_chance_and_within_its_interval(models, forget):
    found, inside = [], 0
    for seed in range(200):
        shadows, included, model = world(seed, models, forget=forget)
        scores = membership_ratios(model(np.zeros(forget + CONTROLS, dtype=bool)), shadows, included)
        measure = auc_measure(scores[:forget], scores[forget:])
        found.append(measure.value)
        estimate = measure.at(0.95)
        inside += estimate.low <= 0.5 <= estimate.high
    assert np.mean(found) == pytest.approx(0.5, abs=4 * np.std(found) / len(found) ** 0.5)
    assert inside >= 0.9 * 200 - 3 * (200 * 0.9 * 0.1) ** 0.5


def test_persons_that_saw_neither_are_at_chance_and_within_intervals_that_cluster_by_them():
    """Rows of a person have level, effect and noise in common, and are in or out together."""
    people, rows, models = 60, 4, 8
    whose = np.repeat(np.arange(people), rows)
    forget, found, inside = 20 * rows, [], 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        included = draw_halves(whose, models, rng)
        level, effect = rng.normal(0, 3, size=people)[whose], 2 * rng.exponential(size=people)[whose]
        noise = rng.normal(size=(models + 1, people))[:, whose] + rng.normal(size=(models + 1, len(whose)))
        scores = membership_ratios(level + noise[0], level + effect * included + noise[1:], included)
        measure = auc_measure(
            scores[:forget], scores[forget:], forget_groups=whose[:forget], control_groups=whose[forget:]
        )
        found.append(measure.value)
        estimate = measure.at(0.95)
        inside += estimate.low <= 0.5 <= estimate.high
    assert np.mean(found) == pytest.approx(0.5, abs=4 * np.std(found) / len(found) ** 0.5)
    assert inside >= 0.9 * 200 - 3 * (200 * 0.9 * 0.1) ** 0.5


@pytest.mark.parametrize("beside", [0, BESIDE])
def test_no_monotone_change_of_outputs_hides_anything(beside):
    shadows, included, model = world(0, 8)
    rng = np.random.default_rng(1)
    cut = [FORGET, FORGET + CONTROLS] if beside else [FORGET]

    def asked(margin):
        return answers(np.concatenate([margin, rng.normal(0, 3, size=beside)]), cut)

    several = Shadows(answers=[asked(one) for one in shadows], included=included)
    margin = np.concatenate([model(np.arange(FORGET + CONTROLS) < FORGET), rng.normal(0, 3, size=beside)])
    plain, cooled = (
        online_ratio(hinge_margin, several, answers(one, cut), (), Pairing()) for one in (margin, margin / 20)
    )
    np.testing.assert_allclose(plain.forget, cooled.forget)
    np.testing.assert_allclose(plain.controls, cooled.controls)
    assert len(plain.controls) == CONTROLS
    assert auc(plain.forget, plain.controls) > 0.8


def test_models_that_remember_nothing_give_every_example_the_same_weight():
    rng = np.random.default_rng(0)
    included = draw_halves(np.arange(30), 4, rng)
    models = np.broadcast_to(rng.normal(size=30), (4, 30))
    target = rng.normal(size=30)
    scores = membership_ratios(target, models, included)
    np.testing.assert_allclose(scores / scores[0], (target - models[0]) / (target - models[0])[0])


def test_too_few_models_are_refused():
    included = draw_halves(np.arange(6), LEAST_MODELS - 2, np.random.default_rng(0))
    with pytest.raises(ValueError, match="two models or more that were trained on an example"):
        membership_ratios(np.zeros(6), np.zeros(included.shape), included)
    with pytest.raises(ValueError, match="do not go with"):
        membership_ratios(np.zeros(5), np.zeros((4, 6)), np.ones((4, 6), dtype=bool))
