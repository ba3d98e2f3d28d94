from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import TensorDataset

from tests.methods.closed_forms import linear, parts
from unlearners import ProjectedGradient
from unlearners.approximate.projected_gradient import span


def in_a_plane(data: TensorDataset) -> TensorDataset:
    """The same examples without their last two features."""
    x, y = data.tensors
    return TensorDataset(x * torch.tensor([1.0, 1.0, 0.0, 0.0]).to(x), y)


@pytest.mark.parametrize("seed", range(3))
def test_retained_inputs_that_do_not_fill_the_space_are_answered_as_before(seed, blobs):
    retain = in_a_plane(blobs(30, seed, dtype=torch.float64))
    forget, model = blobs(9, seed + 50, dtype=torch.float64), linear(seed)
    unlearned = ProjectedGradient(kept=0.999, epochs=20, lr=0.5)(model, retain, forget, seed=seed)
    x, y = forget.tensors
    torch.testing.assert_close(unlearned(retain.tensors[0]), model(retain.tensors[0]), rtol=0, atol=1e-12)
    assert cross_entropy(unlearned(x), y) > cross_entropy(model(x), y) + 0.05
    assert torch.equal(unlearned.bias, model.bias)


@pytest.mark.parametrize("seed", range(3))
def test_a_step_is_down_its_loss_without_the_part_that_retained_inputs_span(seed, blobs):
    retain = in_a_plane(blobs(30, seed, dtype=torch.float64))
    forget, model = blobs(9, seed + 50, dtype=torch.float64), linear(seed)
    unlearned = ProjectedGradient(epochs=1, lr=0.3, kept=0.999)(model, retain, forget, seed=seed)
    (x, y), (weight, bias) = forget.tensors, parts(model)
    weight.requires_grad_(True)
    p = torch.softmax(x @ weight.T + bias, 1)
    true = p[torch.arange(9), y]
    loss = -(1.05 - true).log().mean() - 0.2 * -(p * p.log()).sum(1).mean()
    (slope,) = torch.autograd.grad(loss, weight)
    slope[:, :2] = 0
    torch.testing.assert_close(unlearned.weight, weight - 0.3 * slope, rtol=0, atol=1e-12)


def test_directions_hold_the_share_and_one_more():
    moment = torch.diag(torch.tensor([16.0, 1.0, 9.0, 4.0], dtype=torch.float64))  # singular values 4, 3, 2, 1
    assert span(moment, 0.39).shape[1] == 1
    assert span(moment, 0.41).shape[1] == 2
    assert span(moment, 0.71).shape[1] == 3
    assert span(moment, 1.0).shape[1] == 4
    torch.testing.assert_close(span(moment, 0.41).abs(), torch.eye(4, dtype=torch.float64)[:, [0, 2]])


def test_the_learning_rate_falls_evenly_in_the_logarithm():
    method = ProjectedGradient(epochs=4, lr=0.16, last_lr=0.01)
    assert [round(method.rate(i), 6) for i in range(4)] == [0.16, 0.08, 0.04, 0.02]


def test_normalisation_stays(blobs):
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))
    unlearned = ProjectedGradient(epochs=3, kept=0.5)(model, blobs(30, 0), blobs(9, 1), seed=3)
    assert all(map(torch.equal, unlearned[1].state_dict().values(), model[1].state_dict().values()))
    assert not torch.equal(unlearned[0].weight, model[0].weight)


@pytest.mark.parametrize("wrong", [{"kept": 0}, {"offset": 0}, {"entropy": -1}, {"last_lr": -1}])
def test_hyper_parameters_are_checked(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ProjectedGradient(**wrong)
