"""Vulnerable slices: a leak that the average hides, and no leak made up by choosing."""

from __future__ import annotations

import numpy as np

from pytest_unlearn.attacks.attack import Pairing
from pytest_unlearn.attacks.registry import CONFIDENCE_RESIDUALS
from pytest_unlearn.attacks.subgroups import class_masks, worst_of
from tests.unit.attacks.gaussian import Population

RESIDUAL = CONFIDENCE_RESIDUALS[0]
CLASSES = np.arange(1000) % 10
PAIRING = Pairing(forget_strata=CLASSES, control_strata=CLASSES)


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
