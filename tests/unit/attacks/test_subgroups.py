"""Vulnerable slices: a leak that the average hides, and no leak made up by choosing."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_unlearn.attacks.attack import Pairing
from pytest_unlearn.attacks.registry import CONFIDENCE_RESIDUALS, OF_A_PART
from pytest_unlearn.attacks.subgroups import class_masks, slice_measure, worst_class_of, worst_of
from pytest_unlearn.core.evidence import Scores
from tests.unit.attacks.gaussian import Population, answers

RESIDUAL = CONFIDENCE_RESIDUALS[0]
CLASSES = np.arange(1000) % 10
PAIRING = Pairing(forget_strata=CLASSES, control_strata=CLASSES)


def found(attack, target, references, pairing=PAIRING):
    return attack.measure(attack.score(target, references, pairing), pairing).at(0.95)


def test_a_class_that_is_remembered_stands_out_although_the_average_is_within_the_limit():
    people = Population(1000, 1000)
    target, references = people.model(np.where(CLASSES == 3, 3.0, 0.0)), people.models(4)
    exposed, forgotten = worst_class_of(PAIRING, RESIDUAL)
    assert found(RESIDUAL, target, references).value < 0.57
    assert found(exposed, target, references).low > 0.75
    assert found(forgotten, target, references).high >= 0.5
    assert (exposed.sides, forgotten.sides) == (("high",), ("low",))


def test_without_classes_to_compare_within_there_is_no_class_slice():
    one = np.zeros(5, dtype=int)
    assert worst_class_of(Pairing(), RESIDUAL) == ()
    assert worst_class_of(Pairing(forget_strata=one, control_strata=one), RESIDUAL) == ()
    assert worst_of([], "slice", RESIDUAL) == ()


@pytest.mark.parametrize("with_groups", [False, True], ids=["examples", "groups"])
@pytest.mark.parametrize("with_references", [False, True], ids=["scores", "references"])
@pytest.mark.parametrize("seed", range(3))
def test_a_part_measured_among_controls_of_its_classes_is_the_part_measured_among_all(
    seed, with_references, with_groups
):
    random = np.random.default_rng(seed)
    forget, controls = random.integers(0, 7, 90), random.integers(0, 7, 200)
    groups = (random.integers(0, 30, 90), random.integers(30, 90, 200)) if with_groups else (None, None)
    pairing = Pairing(forget_strata=forget, control_strata=controls, forget_groups=groups[0], control_groups=groups[1])
    rows = [random.normal(size=(3, n)).round(1) if with_references else None for n in (90, 200)]
    scores = Scores(
        forget=random.normal(size=90).round(1), controls=random.normal(size=200).round(1), tie_share=0.0,
        reference_forget=rows[0], reference_controls=rows[1],
    )  # fmt: skip
    across_classes = [np.arange(90) % 3 == part for part in range(3)]
    classes, slices = worst_class_of(pairing, OF_A_PART), worst_of(across_classes, "slice", OF_A_PART)
    for attacks, masks in ((classes, class_masks(pairing)), (slices, across_classes)):
        apart = [slice_measure(OF_A_PART, scores, pairing, mask).at(1 - 0.05 / len(masks)) for mask in masks]
        for attack, pick in zip(attacks, (max, min), strict=True):
            estimate = attack.measure(scores, pairing).at(0.95)
            for bound in ("value", "low", "high"):
                expected = pick(getattr(one, bound) for one in apart)
                assert getattr(estimate, bound) == pytest.approx(expected, abs=1e-12)


def hard_part(seed, shift=0.0, references=4):
    """Estimates on the hardest tenth: of the residual, and relative to what references have there."""
    people = Population(600, 600, seed=seed)
    hard = people.levels[0] < np.quantile(people.levels[0], 0.1)
    noise = [np.where(level < -2, 6.0, 1.0) for level in people.levels]  # models disagree most on what is hard

    def model(shift=0.0):
        drawn = [level + people.rng.normal(size=600) * by for level, by in zip(people.levels, noise, strict=True)]
        return answers(drawn[0] + shift, drawn[1])

    target, others = model(np.where(hard, shift, 0.0)), [model() for _ in range(references)]
    pairing = Pairing()
    return [
        slice_measure(attack, attack.score(target, others, pairing), pairing, hard).at(0.95)
        for attack in (RESIDUAL, OF_A_PART)
    ]


@pytest.mark.parametrize("references", [2, 4])
def test_a_part_that_is_hard_is_as_hard_for_references(references):
    """The residual alone would accuse an honest model of what the line leaves of the difficulty."""
    estimates = [hard_part(seed, references=references) for seed in range(40)]
    biased, fair = (np.array([pair[k].value for pair in estimates]) for k in (0, 1))
    assert abs(biased.mean() - 0.5) > 3 * biased.std() / 40**0.5
    assert abs(fair.mean() - 0.5) < 4 * fair.std() / 40**0.5
    accused = sum(pair[1].low > 0.5 or pair[1].high < 0.5 for pair in estimates)
    assert accused <= 9  # of 40 at 10%, both sides: more has a probability below one in a hundred


def test_a_memory_in_a_hard_part_is_seen():
    assert hard_part(0, shift=12.0)[1].low > 0.6


def test_a_part_is_judged_by_its_raw_statistic_where_no_reference_could_judge_another_and_where_most_tie():
    people = Population(100, 100)
    target, reference, pairing = people.model(), people.model(), Pairing()
    scores = OF_A_PART.score(target, [reference], pairing)
    assert np.array_equal(scores.forget, target.forget.logits[:, 0])
    assert np.array_equal(scores.reference_forget[0], reference.forget.logits[:, 0])
    assert OF_A_PART.score(target, [], pairing).reference_forget is None
    coarse = [answers(*(np.sign(side.logits[:, 0]) for side in (one.forget, one.controls))) for one in people.models(4)]
    scores = OF_A_PART.score(coarse[0], coarse[1:], pairing)
    assert np.array_equal(scores.forget, coarse[0].forget.logits[:, 0])


def test_models_that_all_tie_differ_in_nothing():
    alike = answers(np.zeros(40), np.zeros(60))
    found = slice_measure(
        OF_A_PART, OF_A_PART.score(alike, [alike, alike, alike], Pairing()), Pairing(), np.arange(40) < 10
    ).at(0.95)
    assert found.low < found.value == 0.5 < found.high
