"""Vulnerable slices: a leak that the average hides, and no leak made up by choosing."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from pytest_unlearn.attacks.attack import Pairing
from pytest_unlearn.attacks.registry import CONFIDENCE_RESIDUALS, vulnerable_slices
from pytest_unlearn.attacks.signals import logit_scaled_confidence
from pytest_unlearn.attacks.subgroups import class_masks, most_memorised, worst_of
from tests.unit.attacks.gaussian import Population, answers

RESIDUAL = CONFIDENCE_RESIDUALS[0]
CLASSES = np.arange(1000) % 10
PAIRING = Pairing(forget_strata=CLASSES, control_strata=CLASSES)
memorised = partial(most_memorised, logit_scaled_confidence)


def found(attack, target, references, pairing=PAIRING):
    return attack.measure(attack.score(target, references, pairing), pairing).at(0.95)


def test_a_class_that_is_remembered_stands_out_although_the_average_is_within_the_limit():
    people = Population(1000, 1000)
    target, references = people.model(np.where(CLASSES == 3, 3.0, 0.0)), people.models(4)
    exposed, forgotten = worst_of(class_masks(PAIRING), "class", RESIDUAL)
    assert found(RESIDUAL, target, references).value < 0.57
    assert found(exposed, target, references).low > 0.75
    assert found(forgotten, target, references).high >= 0.5
    assert (exposed.sides, forgotten.sides) == (("high",), ("low",))


def test_without_classes_to_compare_within_there_is_no_class_slice():
    assert class_masks(Pairing()) == []
    assert worst_of([], "class", RESIDUAL) == ()
    assert worst_of([np.ones(5, dtype=bool)], "class", RESIDUAL) == ()


def test_the_tenth_that_the_original_knew_best_is_judged_by_itself():
    people = Population(1000, 1000)
    strength = np.where(np.arange(1000) < 100, 8.0, 0.0)
    original, references = people.model(strength), people.models(4)
    target = people.model(np.where(np.arange(1000) < 100, 4.0, 0.0))
    attack = memorised(original, references)
    assert found(RESIDUAL, target, references).value < 0.6
    assert found(attack, target, references).low > 0.9


@pytest.mark.parametrize("references", [2, 4, 5])
def test_choosing_it_accuses_no_retrained_model(references):
    values = []
    for seed in range(60):
        people = Population(200, 200, seed=seed)
        original, known = people.model(1.0), people.models(references)
        pairing = Pairing(forget_strata=CLASSES[:200], control_strata=CLASSES[:200])
        values.append(found(memorised(original, known), people.model(), known, pairing).value)
    assert np.mean(values) == pytest.approx(0.5, abs=3 * np.std(values) / 60**0.5)


@pytest.mark.parametrize("references", [3, 4])
def test_nor_where_seeds_disagree_most_about_what_is_hard_and_some_are_surer_of_everything(references):
    accused = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        levels = [rng.standard_t(3, 600) * 2 for _ in range(2)]

        def model(shift=0.0, levels=levels, rng=rng):
            gain = rng.uniform(0.5, 2.0)
            drawn = [gain * (level + rng.normal(size=600) * (0.3 + np.abs(level) / 2)) for level in levels]
            return answers(drawn[0] + shift, drawn[1])

        known, original, target = [model() for _ in range(references)], model(1.0), model()
        accused += found(memorised(original, known), target, known, Pairing()).low > 0.55
    assert accused <= 3


def test_chosen_and_judged_by_the_same_references_it_would():
    values = []
    for seed in range(60):
        people = Population(200, 200, seed=seed)
        original, known = people.model(1.0), people.models(2)
        usual = [np.mean([logit_scaled_confidence(getattr(one, side)) for one in known], axis=0)
                 for side in ("forget", "controls")]  # fmt: skip
        target = people.model()
        chosen = np.argsort(-(logit_scaled_confidence(original.forget) - usual[0]))[:20]
        forget = (logit_scaled_confidence(target.forget) - usual[0])[chosen]
        controls = logit_scaled_confidence(target.controls) - usual[1]
        values.append(np.mean(forget[:, None] > controls))
    assert np.mean(values) > 0.6


def test_too_little_to_choose_from_is_no_slice():
    people = Population(90, 90)
    assert memorised(people.model(), people.models(4)) is None
    people = Population(200, 90)
    assert memorised(people.model(), people.models(1)) is None


def test_which_slices_there_are_depends_on_what_is_known():
    people = Population(1000, 1000)
    original, references = people.model(), people.models(4)
    names = [a.name for a in vulnerable_slices(people.model(original=original), references, PAIRING)]
    assert names == ["most exposed class", "most over-forgotten class", "most memorised tenth"]
    assert len(vulnerable_slices(people.model(), references, PAIRING)) == 2
    assert vulnerable_slices(people.model(), references, Pairing()) == ()
