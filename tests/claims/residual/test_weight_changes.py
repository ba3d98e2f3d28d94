"""Weakened copies: each change is exactly what it says, of a copy, once for both sets of examples."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import nn

from pytest_unlearn.claims.residual import weight_changes
from pytest_unlearn.claims.residual.weight_changes import BenignEpochs, HeadReset, Pruned, RoundedWeights, Weakened
from pytest_unlearn.models.adapters import model_digest
from pytest_unlearn.models.fine_tune import cross_entropy
from pytest_unlearn.models.handle import ModelHandle
from pytest_unlearn.models.layers import OtherArchitectureError
from pytest_unlearn.models.query import Query
from tests.worlds.networks import Boxed, Functional, TwoAnswers, convolutional, mlp, noise_task, seeded

TASK = noise_task(n=150)
CHANGES = [RoundedWeights(8), RoundedWeights(4), Pruned(1 / 3), HeadReset(), BenignEpochs()]


def changed(change, model, retain=TASK.retain, seed=0):
    copy = deepcopy(model)
    change(copy, retain, seed=seed)
    return copy


def answers(query, model, view, output=None, task=TASK):
    return ModelHandle(model, classes=task.split.classes).ask(query, view, output)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_rounding_is_to_so_many_steps_a_row_within_half_a_step_and_only_once(bits):
    model = seeded(lambda: mlp(hidden=50))
    once = changed(RoundedWeights(bits), model)
    twice = changed(RoundedWeights(bits), once)
    for number in (0, 2):
        before, after = (one[number].weight.detach().double() for one in (model, once))
        step = before.abs().amax(dim=1, keepdim=True) / (2 ** (bits - 1) - 1)
        assert ((after - before).abs() <= step / 2 * (1 + 1e-5)).all()
        levels = after / step
        assert torch.allclose(levels, levels.round(), atol=1e-4)
        assert levels.abs().max() <= 2 ** (bits - 1) - 1 + 1e-4
        assert torch.allclose(twice[number].weight, once[number].weight, rtol=1e-6, atol=0)
        assert torch.equal(once[number].bias, model[number].bias)
    assert not torch.equal(once[0].weight, model[0].weight)


def test_rounding_leaves_a_row_of_zeros_and_tiny_weights_finite():
    model = seeded(mlp)
    with torch.no_grad():
        model[2].weight[0] = 0.0
        model[2].weight[1] = 1e-40
    once = changed(RoundedWeights(4), model)
    assert torch.isfinite(once[2].weight).all()
    assert not once[2].weight[0].any()


def test_rounding_of_kernels_has_one_scale_a_filter():
    model = seeded(convolutional)
    once = changed(RoundedWeights(4), model)
    levels = once[3].weight.detach() / model[3].weight.detach().abs().amax(dim=(1, 2, 3), keepdim=True) * 7
    assert torch.allclose(levels, levels.round(), atol=1e-4)
    assert torch.equal(once[1].weight, model[1].weight)  # of BatchNorm: no matrix


@pytest.mark.parametrize("share", [0.0, 0.2, 1 / 3, 0.9])
def test_pruning_takes_the_share_asked_for_of_each_layer_the_smallest_first(share):
    model = seeded(lambda: mlp(hidden=40))
    once = changed(Pruned(share), model)
    for number in (0, 2):
        before, after = model[number].weight.detach(), once[number].weight.detach()
        gone = after == 0
        assert int(gone.sum()) == int(share * before.numel())
        assert torch.equal(after[~gone], before[~gone])
        if gone.any():
            assert before[gone].abs().max() <= before[~gone].abs().min()


def test_a_new_head_is_the_last_layer_that_runs_and_nothing_else_moves():
    model = seeded(Functional)  # its head is registered first
    once = changed(HeadReset(), model)
    assert torch.equal(once.body.weight, model.body.weight)
    assert torch.equal(once.body.bias, model.body.bias)
    assert not torch.equal(once.head.weight, model.head.weight)
    relabelled = seeded(Functional)
    with torch.no_grad():
        relabelled.head.weight.mul_(-3)
    assert model_digest(changed(HeadReset(), relabelled)) == model_digest(once)  # nothing of the old head is left


def test_a_new_head_learns_from_retain():
    task = noise_task(n=150)
    model = seeded(lambda: mlp(hidden=200))
    x, y = (torch.as_tensor(part) for part in task.retain.arrays())
    few, many = (changed(HeadReset(epochs=epochs), model, task.retain) for epochs in (1, 60))
    assert cross_entropy(many(x), y) < cross_entropy(few(x), y) - 0.1


@pytest.mark.parametrize("change", CHANGES, ids=repr)
def test_a_change_is_of_a_copy_and_leaves_no_trace(change):
    model = seeded(mlp).train()
    before, state, numbers = model_digest(model), torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    query = Query(name="weak", ask=Weakened(change, TASK.retain))
    first, again = (answers(query, model, TASK.forget) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert model_digest(model) == before
    assert model.training
    assert all(weight.grad is None for weight in model.parameters())
    assert torch.equal(torch.random.get_rng_state(), state)
    np.testing.assert_array_equal(np.random.get_state()[1], numbers)  # noqa: NPY002


def test_both_sets_are_asked_of_one_changed_copy_and_a_changed_model_of_a_new_one():
    made = []

    def count(copy, retain, *, seed):
        made.append(seed)

    query, model = Query(name="weak", ask=Weakened(count, TASK.retain, seed=3)), seeded(mlp)
    handle = ModelHandle(model, classes=TASK.split.classes)
    for view in (TASK.forget, TASK.controls):
        handle.ask(query, view)
    assert made == [3]
    with torch.no_grad():
        model[0].weight.mul_(2)
    answers(query, model, TASK.forget)
    answers(query, deepcopy(model), TASK.forget)
    assert len(made) == 3


def test_a_change_may_return_another_model():
    other = seeded(mlp, seed=1)
    query = Query(name="weak", ask=Weakened(lambda copy, retain, *, seed: other, TASK.retain))
    plain = Query(name="plain", ask=lambda model, view, answer: answer(*view.arrays()).logits)
    np.testing.assert_array_equal(answers(query, seeded(mlp), TASK.forget), answers(plain, other, TASK.forget))


def test_what_has_no_weights_to_change_is_told_so():
    with pytest.raises(ValueError, match="only an nn.Module has weights to round"):
        answers(Query(name="weak", ask=Weakened(Pruned(0.5), TASK.retain)), lambda x: x, TASK.forget)
    for change in (RoundedWeights(8), Pruned(0.5), HeadReset()):
        with pytest.raises(OtherArchitectureError, match="Boxed shows no layer with weights"):
            answers(Query(name="weak", ask=Weakened(change, TASK.retain)), Boxed(seeded(mlp)), TASK.forget)


@pytest.mark.parametrize("make", [lambda: RoundedWeights(1), lambda: Pruned(1.0), lambda: Pruned(-0.1)])
def test_what_would_leave_nothing_is_refused(make):
    with pytest.raises(ValueError, match=r"2 bits or more|from 0 to below 1"):
        make()


@pytest.mark.parametrize("change", [HeadReset(epochs=1, output=0), BenignEpochs(output=0)], ids=repr)
def test_training_further_knows_which_entry_of_the_output_holds_the_logits(change):
    model = seeded(TwoAnswers)
    query = Query(name="weak", ask=Weakened(change, TASK.retain))
    assert answers(query, model, TASK.forget, output=0).shape == (len(TASK.forget), 3)
    with pytest.raises(ValueError, match="say which entry holds the logits with output="):
        BenignEpochs()(deepcopy(model), TASK.retain, seed=0)


class Scaled(nn.Module):
    """A network whose answers are not those of its last layer."""

    def __init__(self):
        super().__init__()
        self.net = mlp()

    def forward(self, x):
        return 2.0 * self.net(x)


@pytest.mark.parametrize("output", [None, 0])
def test_a_head_that_answers_is_trained_on_what_enters_it_as_in_the_whole_network(output, monkeypatch):
    build, last = (mlp, "2.weight") if output is None else (TwoAnswers, "net.2.weight")
    models = [seeded(build) for _ in range(2)]
    change = HeadReset(epochs=2, output=output)
    head = dict(models[0].named_modules())[last.removesuffix(".weight")]
    assert weight_changes._inputs_of(head, models[0], TASK.retain, output) is not None
    change(models[0], TASK.retain, seed=0)
    monkeypatch.setattr(weight_changes, "_inputs_of", lambda *_: None)
    change(models[1], TASK.retain, seed=0)
    for ours, theirs in zip(*(model.state_dict().values() for model in models), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    assert not torch.equal(models[0].state_dict()[last], seeded(build).state_dict()[last])


def test_a_head_whose_answers_are_changed_later_is_trained_in_the_network():
    assert weight_changes._inputs_of(seeded(mlp)[2], seeded(mlp), TASK.retain, None) is None  # of another network
    model = seeded(Scaled)
    assert weight_changes._inputs_of(model.net[2], model, TASK.retain, None) is None
    before = model.net[2].weight.detach().clone()
    HeadReset(epochs=1)(model, TASK.retain, seed=0)
    assert not torch.equal(model.net[2].weight, before)
