"""Training a copy further: the same loop for every model, on a copy that answers as the model does."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import nn

from pytest_unlearn.claims.relearning.query import Relearning
from pytest_unlearn.claims.residual.weight_changes import BenignEpochs, Weakened
from pytest_unlearn.models.adapters import model_digest
from pytest_unlearn.models.fine_tune import cross_entropy, fine_tune
from pytest_unlearn.models.handle import ModelHandle
from pytest_unlearn.models.query import Query
from tests.worlds.networks import convolutional, mlp, noise_task, seeded

TASK = noise_task(n=150)


def changed(change, model, retain=TASK.retain, seed=0):
    copy = deepcopy(model)
    change(copy, retain, seed=seed)
    return copy


def test_training_lowers_the_loss_and_leaves_frozen_weights_and_statistics_alone():
    task = noise_task(shape=(1, 8, 8), n=60)
    model = seeded(convolutional)
    model[0].weight.requires_grad_(False)
    x, y = (torch.as_tensor(part) for part in task.retain.arrays())
    once = changed(BenignEpochs(epochs=20), model, task.retain)
    assert cross_entropy(once.eval()(x), y) < cross_entropy(deepcopy(model).eval()(x), y) - 0.1
    assert torch.equal(once[0].weight, model[0].weight)
    assert torch.equal(once[1].running_mean, model[1].running_mean)
    assert not torch.equal(once[3].weight, model[3].weight)


def test_the_order_of_training_is_decided_by_the_seed_alone():
    model = seeded(mlp)
    torch.manual_seed(1)
    first = model_digest(changed(BenignEpochs(), model, seed=0))
    torch.manual_seed(2)
    assert model_digest(changed(BenignEpochs(), model, seed=0)) == first
    assert model_digest(changed(BenignEpochs(), model, seed=1)) != first


def test_steps_are_counted_and_only_the_chosen_part_is_trained():
    model, steps = seeded(mlp), []
    before = deepcopy(model)
    fine_tune(model, TASK.retain, epochs=2, seed=0, only=model[2], after_step=steps.append)
    assert steps == list(range(1, 2 * -(-len(TASK.retain) // 64) + 1))
    assert torch.equal(model[0].weight, before[0].weight)
    assert not torch.equal(model[2].weight, before[2].weight)


def test_the_loss_is_cross_entropy_and_of_one_logit_its_log_odds():
    logits, y = torch.tensor([[0.3], [-1.2], [2.0]]), torch.tensor([1, 0, 1])
    both = torch.cat([torch.zeros_like(logits), logits], dim=1)
    assert cross_entropy(logits, y).item() == pytest.approx(nn.functional.cross_entropy(both, y).item())
    assert cross_entropy(logits.reshape(-1), y).item() == pytest.approx(cross_entropy(both, y).item())


def test_what_cannot_be_trained_is_told_why():
    class Sealed(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = mlp()

        def forward(self, x):
            with torch.no_grad():
                return self.net(x)

    frozen = mlp().requires_grad_(False)
    for model, says in (
        (lambda x: x, "only an nn.Module can be trained"),
        (frozen, "no trainable weights"),
        (Sealed(), "no gradient gets through"),
    ):
        with pytest.raises(ValueError, match=says):
            fine_tune(model, TASK.retain, epochs=1, seed=0)


class Copied(nn.Sequential):
    """Hands out another network, or itself, where a copy is asked for."""

    def __init__(self, own, copy):
        super().__init__(*own)
        self.given = (copy,)

    def __deepcopy__(self, memo):
        return self if self.given[0] is None else self.given[0]


def asked(query, model):
    return ModelHandle(model, classes=TASK.split.classes).ask(Query(name="query", ask=query), TASK.forget)


def test_a_copy_that_answers_alike_is_independent_of_the_model():
    model, seen = seeded(mlp), []

    def change(copy, retain, *, seed):
        seen.append(copy)
        with torch.no_grad():
            copy[0].weight.zero_()

    before = model_digest(model)
    asked(Weakened(change, TASK.retain), model)
    assert seen[0] is not model
    assert model_digest(model) == before


@pytest.mark.parametrize("copy", [seeded(mlp, 1), None], ids=["another network", "itself"])
@pytest.mark.parametrize(
    "query", [Weakened(BenignEpochs(), TASK.retain), Relearning(steps=2, seeds=1)], ids=["weakened", "relearning"]
)
def test_nothing_is_learned_of_a_copy_that_is_none(query, copy):
    with pytest.raises(ValueError, match=r"copy.deepcopy\) does not answer as the model does"):
        asked(query, Copied(seeded(mlp, 0), copy))
