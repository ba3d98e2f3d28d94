"""What the audited model answers is shared by the claims of one call, and by nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pytest_unlearn import SavedOutputs
from tests.worlds.networks import mlp, noise_task, seeded
from tests.worlds.simulated import World, split

HONEST = 5  # the seed of a model that never knew


@pytest.fixture(scope="module")
def world():
    return World(split(n_forget=60, n_controls=200))


def break_down(task, model):
    """Ask the model, and then one that has no answer."""
    task.audited(model, task.forget)
    task.audited(SavedOutputs(test=np.zeros((1, 4))), task.forget)


def test_what_the_audited_model_answered_is_forgotten_after_the_call_also_when_it_breaks(world):
    task = world.task()
    model = world.model(seed=HONEST)
    kept = len(task._outputs)
    with task.remembering(model):
        first = task.audited(model, task.forget)
        assert task.audited(model, task.forget) is first
        with task.remembering(model):
            assert task.audited(model, task.forget) is first
        assert task.audited(model, task.forget) is first
        other = world.model(seed=6)
        assert task.audited(other, task.forget) is not task.audited(other, task.forget)
    assert not task.remembers(model)
    assert len(task._outputs) == kept
    with pytest.raises(ValueError, match="SavedOutputs has no rows"), task.remembering(model):
        break_down(task, model)
    assert not task.remembers(model)
    assert len(task._outputs) == kept
    with task.remembering(task.original):
        own = task.audited(task.original, task.forget)
    assert task.outputs(task.original, task.forget) is own  # the task's own model's answers stay


def test_a_model_that_changes_while_it_is_shared_is_noticed():
    task, model = noise_task(), seeded(mlp)
    with task.remembering(model):
        task.audited(model, task.forget)
        with torch.no_grad():
            model[0].weight.mul_(2)
        with pytest.raises(ValueError, match="changed in place"):
            task.audited(model, task.forget)
