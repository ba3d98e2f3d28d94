from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from tests.methods.closed_forms import gradients, linear, parts
from unlearners import Unsupported
from unlearners.exact.noisy_fine_tune import NoisyFineTune
from unlearners.exact.noisy_steps import epsilon_of


def joined(model):
    return torch.cat([p.flatten() for p in parts(model)])


@pytest.mark.parametrize("seed", range(3))
def test_a_step_is_the_closed_form(seed, blobs, unreadable):
    retain, model = blobs(30, seed, dtype=torch.float64), linear(seed)
    method = NoisyFineTune(epochs=0, noisy_steps=1, radius=0.5, max_gradient=0.1, noisy_lr=0.2, shrinkage=0.3)
    unlearned = method(model, retain, unreadable, seed=seed)
    start = 0.5 * joined(model) / joined(model).norm()
    slope = torch.cat([g.flatten() for g in gradients(start[:12].view(3, 4), start[12:], *retain.tensors)])
    assert slope.norm() > 0.1
    order = torch.Generator().manual_seed(seed)
    torch.randperm(30, generator=order)
    noise = method.sigma * torch.randn(15, generator=order, dtype=torch.float64)
    expected = start - 0.2 * (0.1 * slope / slope.norm() + 0.3 * start) + noise
    torch.testing.assert_close(joined(unlearned), expected, rtol=0, atol=1e-12)


def test_where_it_began_is_hidden_by_the_noise(blobs, unreadable):
    """From weights as far apart as any are, the same noise leads to within what the guarantee counts on."""
    retain, one, other = blobs(30, 0, dtype=torch.float64), linear(0), linear(0)
    with torch.no_grad():
        for p in other.parameters():
            p.mul_(-1e6)
    method = NoisyFineTune(epochs=0)
    far = (joined(method(one, retain, unreadable, seed=3)) - joined(method(other, retain, unreadable, seed=3))).norm()
    c = 1 - method.noisy_lr * method.shrinkage
    most = 2 * method.radius * c**100 + 2 * method.noisy_lr * method.max_gradient * (1 - c**100) / (1 - c)
    assert far <= most
    variance = method.sigma**2 * (1 - c**200) / (1 - c**2)
    assert epsilon_of(most**2 / (2 * variance), method.delta) <= 1.0001 * method.epsilon


def test_more_noise_for_less_epsilon():
    assert NoisyFineTune(epsilon=0.5).sigma > 1.5 * NoisyFineTune().sigma > 1.5 * NoisyFineTune(epsilon=8).sigma


def test_what_was_hidden_is_repaired_on_the_retain_set(blobs, unreadable):
    """The mean over five networks: as accurate after the repair as a network that was only trained so long."""
    found = []
    for seed in range(5):
        retain = blobs(90, seed)
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Linear(4, 16), nn.LayerNorm(16), nn.ReLU(), nn.Linear(16, 3))
        unlearned = NoisyFineTune(epochs=60)(model, retain, unreadable, seed=seed)
        found.append((unlearned(retain.tensors[0]).argmax(1) == retain.tensors[1]).double().mean())
    assert sum(found) / 5 > 0.6


def test_running_statistics_are_refused(blobs):
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 3))
    with pytest.raises(Unsupported, match="also holds statistics of its training data"):
        NoisyFineTune()(model, blobs(30, 0), blobs(9, 1), seed=3)


@pytest.mark.parametrize(
    "wrong", [{"epsilon": 0}, {"delta": 1}, {"radius": 0}, {"noisy_steps": 0}, {"shrinkage": 100}, {"radius": math.inf}]
)
def test_hyper_parameters_are_checked(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        NoisyFineTune(**wrong)
