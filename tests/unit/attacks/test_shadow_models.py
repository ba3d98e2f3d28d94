"""The shadow-model attack: what the references teach of members is used against the audited model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pytest_unlearn.attacks.attack import Pairing, auc_of_scores
from pytest_unlearn.attacks.shadow_models import shadow_models
from tests.unit.attacks.gaussian import Population, binary

PLAIN = Pairing()


def world(shift, n=1500, references=3, seed=0):
    """Members are answered 2 higher, those of retain in every model."""
    people = Population(n, n, spread=0.7, seed=seed)
    retain = [binary(people.rng.normal(2.0, 1.2, size=n)) for _ in range(references + 1)]
    models = [replace(model, retain=part) for model, part in zip(people.models(references), retain, strict=False)]
    return replace(people.model(shift), retain=retain[-1]), models


def test_members_are_recognised_by_what_other_models_do_to_theirs():
    scores = shadow_models(*world(2.0), PLAIN)
    assert auc_of_scores(scores, PLAIN).at(0.95).low > 0.8


@pytest.mark.slow
def test_a_retrained_model_is_as_the_references_are():
    found = [auc_of_scores(shadow_models(*world(0.0, n=150, seed=seed), PLAIN), PLAIN).at(0.95) for seed in range(40)]
    assert np.mean([estimate.value for estimate in found]) == pytest.approx(0.5, abs=0.015)
    assert np.mean([estimate.low <= 0.5 for estimate in found]) >= 0.85
    assert np.mean([estimate.high >= 0.5 for estimate in found]) >= 0.85


def test_audited_model_and_references_are_judged_by_as_many_teachers():
    # the same model in both places gets the same scores
    _, references = world(0.0, n=200)
    scores = shadow_models(replace(references[0]), references, PLAIN)
    assert np.allclose(scores.forget, scores.reference_forget[0])


def test_a_class_with_few_examples_borrows_the_classifier_of_all():
    target, references = world(2.0, n=300)
    rare = np.zeros(300, dtype=int)
    rare[:2] = 1

    def relabelled(answers):
        sides = {s: replace(getattr(answers, s), labels=rare) for s in ("forget", "controls", "retain")}
        return replace(answers, **sides)

    scores = shadow_models(relabelled(target), [relabelled(one) for one in references], PLAIN)
    assert np.isfinite(scores.forget).all()
    assert (scores.forget[:2] != 0).all()


@pytest.mark.parametrize("count", [0, 1])
def test_one_reference_cannot_teach_another(count):
    target, references = world(0.0, n=50)
    with pytest.raises(ValueError, match="two references or more"):
        shadow_models(target, references[:count], PLAIN)


def test_it_needs_the_retain_set():
    target, references = world(0.0, n=50)
    with pytest.raises(ValueError, match="answers on the retain set"):
        shadow_models(target, [replace(one, retain=None) for one in references], PLAIN)
