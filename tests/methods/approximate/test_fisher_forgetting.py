from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from tests.methods.closed_forms import linear
from unlearners._core.curvature import fisher_diagonal
from unlearners.approximate.fisher_forgetting import FisherForgetting


def closed_form(model: nn.Linear, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Softmax regression: F of weight (k, j) is the mean of x_j^2 p_k (1 - p_k)."""
    p = torch.softmax(model(x), 1).detach()
    variance = p * (1 - p)
    return variance.T @ x.square() / len(x), variance.mean(0)


@pytest.mark.parametrize("seed", range(3))
def test_fisher_information_of_softmax_regression(seed, blobs):
    model, x = linear(seed), blobs(50, seed, dtype=torch.float64).tensors[0]
    for got, expected in zip(fisher_diagonal(model, x), closed_form(model, x), strict=True):
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-12)


def test_fisher_information_of_one_logit_is_that_of_two_classes(blobs):
    x = blobs(50, 0, dtype=torch.float64).tensors[0]
    model = linear(0, classes=1)
    p = torch.sigmoid(model(x)).detach()
    expected = ((p * (1 - p)).T @ x.square() / len(x), (p * (1 - p)).mean(0))
    for got, wanted in zip(fisher_diagonal(model, x), expected, strict=True):
        torch.testing.assert_close(got, wanted, rtol=0, atol=1e-12)


def test_noise_has_the_variance_alpha_over_fisher_and_mean_zero(blobs, unreadable):
    """Over 400 seeds: the standardised noise of each of 15 weights has mean 0 and variance 1."""
    model, retain = linear(0), blobs(30, 0, dtype=torch.float64)
    method = FisherForgetting(alpha=1e-3)
    fisher = torch.cat([f.flatten() for f in closed_form(model, retain.tensors[0])])
    original = torch.cat([p.flatten() for p in model.parameters()]).detach()
    draws = torch.stack([
        torch.cat([p.flatten() for p in method(model, retain, unreadable, seed=s).parameters()]).detach()
        for s in range(400)
    ])  # fmt: skip
    standardised = (draws - original) / (1e-3 / fisher).sqrt()
    assert standardised.mean(0).abs().max() < 4.5 / math.sqrt(400)
    assert (standardised.var(0) - 1).abs().max() < 4.5 * math.sqrt(2 / 400)


def test_where_the_retain_set_does_not_care_the_variance_is_cut(blobs, unreadable):
    """A feature that is always zero has no information: its weights get variance alpha * largest_inverse."""
    x, y = blobs(30, 0, dtype=torch.float64).tensors
    x[:, 2] = 0
    model = nn.Linear(4, 3).double()
    method = FisherForgetting(alpha=1e-2, largest_inverse=100)
    draws = torch.stack([
        (method(model, torch.utils.data.TensorDataset(x, y), unreadable, seed=s).weight - model.weight)[:, 2].detach()
        for s in range(150)
    ])  # fmt: skip
    assert abs(draws.var().item() - 1.0) < 4.5 * math.sqrt(2 / 450)


def test_frozen_weights_and_alpha_zero_change_nothing(blobs, unreadable):
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 3))
    unchanged = FisherForgetting(alpha=0)(model, blobs(30, 0), unreadable, seed=3)
    assert all(map(torch.equal, unchanged.state_dict().values(), model.state_dict().values()))
    model[0].requires_grad_(False)
    noisy = FisherForgetting(alpha=1e-3)(model, blobs(30, 0), unreadable, seed=3)
    assert torch.equal(noisy[0].weight, model[0].weight)
    assert not torch.equal(noisy[2].weight, model[2].weight)


@pytest.mark.parametrize("wrong", [{"alpha": -1.0}, {"largest_inverse": 0}])
def test_hyper_parameters_are_checked(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        FisherForgetting(**wrong)
