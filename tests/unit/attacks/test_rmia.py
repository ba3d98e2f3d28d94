"""RMIA: it ranks as the loss attack where references say nothing, and equals a plain implementation."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from pytest_unlearn.attacks.attack import Pairing
from pytest_unlearn.attacks.registry import RMIA
from pytest_unlearn.attacks.rmia import offline_rmia, rmia_scores
from pytest_unlearn.core.evidence import Answers, Outputs
from pytest_unlearn.statistics import auc
from tests.published.online_rmia import online_rmia_scores

RNG = np.random.default_rng(0)


def logs(*shape):
    return np.log(RNG.random(shape))


def test_with_references_that_say_nothing_it_ranks_as_the_loss():
    target, population = logs(200), logs(5000)
    scores = rmia_scores(target, np.full((3, 200), -1.0), population, np.full((3, 5000), -1.0), a=1.0)
    order = np.argsort(target)
    assert (np.diff(scores[order]) >= 0).all()
    assert len(np.unique(scores)) > 180


@pytest.mark.parametrize("a", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("gamma", [1.0, 2.0])
@pytest.mark.parametrize("online", [False, True])
def test_it_equals_a_plain_implementation(a, gamma, online):
    target, references, population, theirs = logs(30), logs(6, 30), logs(50), logs(6, 50)
    included = RNG.permuted(np.tile(np.arange(6)[:, None] < 3, (1, 30)), axis=0) if online else None
    expected = np.zeros(30)
    for x in range(30):
        own = np.exp(references[:, x])
        usual = ((1 + a) * own.mean() + 1 - a) / 2
        if online:
            usual = (own[included[:, x]].mean() + own[~included[:, x]].mean()) / 2
        gains = [np.exp(population[z]) / (((1 + a) * np.exp(theirs[:, z]).mean() + 1 - a) / 2) for z in range(50)]
        expected[x] = np.mean([np.exp(target[x]) / usual / gain > gamma for gain in gains])
    attack = rmia_scores if included is None else partial(online_rmia_scores, included=included)
    given = attack(target, references, population, theirs, a=a, gamma=gamma)
    np.testing.assert_allclose(given, expected, atol=1e-12)


def test_members_are_told_from_strangers_by_what_they_gained():
    hard = RNG.random(2000) * 4
    references = -hard + RNG.normal(0, 0.1, size=(2, 2000))
    target = -hard + RNG.normal(0, 0.1, size=2000)
    target[:1000] += 0.3
    scores = rmia_scores(target, references, target[1000:], references[:, 1000:], a=1.0)
    assert auc(scores[:1000], scores[1000:]) > auc(target[:1000], target[1000:]) + 0.2


def test_probabilities_that_underflow_are_still_ranked():
    scores = rmia_scores(
        np.array([-900.0, -2000.0]), np.full((1, 2), -1.0), -np.arange(3000.0), np.full((1, 3000), -1.0)
    )
    assert scores[0] > scores[1] > 0


def test_on_answers_the_controls_are_the_population():
    def answers():
        forget, controls = (Outputs(logits=RNG.normal(size=(40, 3)), labels=np.arange(40) % 3) for _ in range(2))
        return Answers(forget=forget, controls=controls)

    scores = offline_rmia(answers(), [answers(), answers()], Pairing())
    assert scores.forget.shape == scores.controls.shape == (40,)
    # each control counts as half of itself: among strangers, it would else be a rank below one with as many beneath
    assert sorted(scores.controls) == pytest.approx((np.arange(40) + 0.5) / 40)


def test_with_few_controls_a_stranger_is_at_a_half():
    rng = np.random.default_rng(0)

    def answers():
        return Answers(
            **{s: Outputs(logits=rng.normal(size=(10, 3)), labels=np.arange(10) % 3) for s in ("forget", "controls")}
        )

    values = []
    for _ in range(400):
        scores = offline_rmia(answers(), [answers(), answers()], Pairing())
        values.append(auc(scores.forget, scores.controls))
    assert np.mean(values) == pytest.approx(0.5, abs=3 * np.std(values) / 20)  # .55 without the halves


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"references": np.zeros((2, 4))}, "do not go with"),
        ({"population_references": np.zeros((3, 6))}, "do not go with"),
        ({"a": 1.5}, "a is between 0 and 1"),
        ({"gamma": 0.0}, "gamma above 0"),
    ],
)
def test_what_does_not_fit_is_refused(given, says):
    usual = {"target": np.zeros(5), "references": np.zeros((2, 5)), "population": np.zeros(6)}
    with pytest.raises(ValueError, match=says):
        rmia_scores(**{**usual, "population_references": np.zeros((2, 6)), **given})


def test_online_each_example_is_in_some_models_and_out_of_some():
    with pytest.raises(ValueError, match="in some of the models and out of some"):
        online_rmia_scores(np.zeros(5), np.zeros((2, 5)), np.zeros(6), np.zeros((2, 6)), np.ones((2, 5), dtype=bool))


def test_a_forget_set_that_is_harder_than_its_controls_is_judged_by_what_references_make_of_it():
    # mislabelled examples: no model gives them any probability, and their raw AUC is nearly 0 on every one of them
    rng = np.random.default_rng(0)

    def answers(known=0.0):
        sides = {}
        for side, label in (("forget", -2.0), ("controls", 2.0)):
            logits = rng.normal(size=(200, 3))
            logits[:, 0] += label + (known if side == "forget" else 0.0)
            sides[side] = Outputs(logits=logits, labels=np.zeros(200, dtype=int))
        return Answers(**sides)

    references = [answers() for _ in range(4)]
    honest, leaky = (offline_rmia(answers(known), references, Pairing()) for known in (0.0, 3.0))
    assert abs(auc(honest.forget, honest.controls) - 0.5) > 0.2
    fair, caught = (RMIA.measure(scores, Pairing()).at(0.95) for scores in (honest, leaky))
    assert fair.low <= 0.5 <= fair.high
    assert caught.low > 0.6
