"""How a copy learns the forget set again: looks, seeds, and a model that is left alone."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch

from pytest_unlearn.claims.relearning.query import Relearning
from pytest_unlearn.models.adapters import model_digest
from pytest_unlearn.models.fine_tune import fine_tune
from pytest_unlearn.models.handle import ModelHandle
from pytest_unlearn.models.query import Query
from tests.worlds.networks import TwoAnswers, mlp, noise_task, seeded

TASK = noise_task(n=200)


def curve(relearning, model, output=None):
    query = Query(name="relearning", ask=relearning)
    return ModelHandle(model, classes=TASK.split.classes).ask(query, TASK.forget, output)


def loss(model):
    x, y = (torch.as_tensor(part) for part in TASK.forget.arrays())
    with torch.no_grad():
        return torch.nn.functional.cross_entropy(model(x), y, reduction="none").numpy()


def test_the_first_look_is_at_the_model_and_the_last_at_a_copy_that_learned_so_many_steps():
    model, relearning = seeded(mlp), Relearning(steps=6, seeds=2, learning_rate=0.05)
    found = curve(relearning, model)
    assert relearning.looks == (0, 1, 2, 3, 4, 5, 6)
    assert found.shape == (len(TASK.forget), 2, 7, 2)
    np.testing.assert_allclose(found[:, 0, 0, 0], loss(model), atol=1e-5)
    np.testing.assert_array_equal(found[:, 0, 0], found[:, 1, 0])
    copy = deepcopy(model)
    fine_tune(copy, TASK.forget, epochs=3, seed=1, learning_rate=0.05)  # two batches each
    np.testing.assert_allclose(found[:, 1, -1, 0], loss(copy), atol=1e-5)
    assert found[:, 0, -1, 0].mean() < found[:, 0, 0, 0].mean()
    assert set(np.unique(found[..., 1])) <= {0.0, 1.0}


def test_many_steps_are_looked_at_seven_times():
    looks = Relearning(steps=100).looks
    assert (len(looks), looks[0], looks[-1]) == (7, 0, 100)
    assert Relearning(steps=1).looks == (0, 1)


def test_the_model_is_left_as_it_was_and_the_curve_is_the_same_again():
    model = seeded(mlp).train()
    before, state = model_digest(model), torch.random.get_rng_state()
    np.testing.assert_array_equal(curve(Relearning(3, 2), model), curve(Relearning(3, 2), model))
    assert model_digest(model) == before
    assert model.training
    assert torch.equal(torch.random.get_rng_state(), state)


def test_the_entry_that_holds_the_logits_is_trained_too():
    assert curve(Relearning(2, 1, output=0), seeded(TwoAnswers), output=0).shape == (len(TASK.forget), 1, 3, 2)


def test_a_rate_at_which_nothing_stays_finite_is_told_so():
    with pytest.raises(ValueError, match="non-finite"):
        curve(Relearning(5, 1, learning_rate=1e30), seeded(mlp))


def test_a_function_cannot_learn():
    with pytest.raises(ValueError, match=r"needs an nn\.Module, not a function"):
        curve(Relearning(), lambda x: x)
