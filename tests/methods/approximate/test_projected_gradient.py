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


SETTINGS = {
    "plain": {"lr": 0.2},
    "momentum": {"lr": 0.1, "momentum": 0.9},
    "decay": {"lr": 0.2, "weight_decay": 0.05},
    "adam": {"lr": 0.01, "optimizer": "adam", "weight_decay": 0.1},
}


def network(seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    layers = (nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 4, 3))
    return nn.Sequential(*layers).double().eval()


def images(n: int, seed: int) -> TensorDataset:
    """Images of 4 by 4 whose rows are alike, so that patches of 3 by 3 span three directions."""
    tape = torch.Generator().manual_seed(seed)
    rows = torch.randn(n, 1, 1, 4, generator=tape, dtype=torch.float64)
    return TensorDataset(rows.expand(n, 1, 4, 4).clone(), torch.arange(n) % 3)


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("seed", range(3))
def test_every_layer_moves_in_the_complement_of_what_retained_inputs_span(seed, settings):
    """Whatever the optimizer does; the spans are found here by singular values, of what goes into each layer."""
    model, retain, tape = network(seed), images(6, seed), torch.Generator().manual_seed(seed + 50)
    x, y = torch.randn(12, 1, 4, 4, generator=tape, dtype=torch.float64), torch.arange(12) % 3
    unlearned = ProjectedGradient(epochs=30, kept=0.9999, **settings)(model, retain, TensorDataset(x, y), seed=seed)
    with torch.no_grad():
        flat = model[:4](retain.tensors[0])
    patches = nn.functional.unfold(retain.tensors[0], 3).transpose(1, 2).flatten(0, 1)
    for i, given in ((0, patches), (4, flat)):
        moved = (unlearned[i].weight - model[i].weight).flatten(1)
        _, values, directions = torch.linalg.svd(given, full_matrices=False)
        held = directions[values > 1e-9 * values[0]]
        assert len(held) < given.shape[1]  # there is a complement
        assert moved.norm() > 0.01
        assert (moved @ held.T).abs().max() < 1e-10
    torch.testing.assert_close(unlearned(retain.tensors[0]), model(retain.tensors[0]), rtol=0, atol=1e-10)
    assert cross_entropy(unlearned(x), y) > cross_entropy(model(x), y)


def test_weight_decay_is_projected_as_the_gradient_is(blobs):
    """A step by hand: down the gradient plus decay times the weight, in the plane that retained inputs leave."""
    retain = in_a_plane(blobs(30, 0, dtype=torch.float64))
    forget, model = blobs(9, 50, dtype=torch.float64), linear(0)
    settings = {"epochs": 1, "lr": 0.3, "kept": 0.999}
    without, decayed = (ProjectedGradient(**settings, weight_decay=d)(model, retain, forget, seed=0) for d in (0, 0.5))
    expected = without.weight.detach().clone()
    expected[:, 2:] -= 0.3 * 0.5 * model.weight.detach()[:, 2:]
    torch.testing.assert_close(decayed.weight, expected, rtol=0, atol=1e-12)


def test_layers_that_share_a_weight_spare_what_either_is_given(blobs):
    """The first is given one plane of retained inputs, the second another: both stay."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4)).double()
    model[2].weight = model[0].weight
    x, y = blobs(2, 0, dtype=torch.float64).tensors
    unlearned = ProjectedGradient(epochs=30, lr=0.3, kept=0.9)(model, TensorDataset(x[:1], y[:1]), blobs(9, 1), seed=0)
    assert unlearned[2].weight is unlearned[0].weight
    assert not torch.equal(unlearned[0].weight, model[0].weight)
    torch.testing.assert_close(unlearned(x[:1]), model(x[:1]), rtol=0, atol=1e-10)


def test_at_all_of_the_span_nothing_moves(blobs):
    model = linear(0)
    unlearned = ProjectedGradient(kept=1.0, epochs=5, lr=0.5)(model, blobs(30, 0), blobs(9, 1), seed=0)
    torch.testing.assert_close(unlearned.weight, model.weight, rtol=0, atol=1e-12)


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
