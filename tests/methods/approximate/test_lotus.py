from __future__ import annotations

import math

import pytest
import torch
from scipy.stats import kstest
from torch import nn
from torch.utils.data import TensorDataset

from tests.methods.closed_forms import linear, parts
from unlearners.approximate.lotus import LoTUS, accuracy, gumbel

PLAIN = {"optimizer": "sgd", "momentum": 0, "weight_decay": 0, "batch_size": 99, "lr": 0.5}


@pytest.mark.parametrize("alpha", [0.0, 2.0])
@pytest.mark.parametrize("seed", range(3))
def test_a_step_is_towards_smoothed_and_plain_draws_of_the_original(seed, alpha, blobs):
    retain, forget, model = blobs(30, seed, dtype=torch.float64), blobs(9, seed + 50, dtype=torch.float64), linear(seed)
    unlearned = LoTUS(epochs=1, alpha=alpha, retain_share=0.5, **PLAIN)(model, retain, forget, seed=seed)
    order = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(30, generator=order)[:15]
    x = torch.cat([retain.tensors[0][chosen], forget.tensors[0]])
    weight, bias = parts(model)
    temperature = math.exp(alpha * accuracy(model, forget.tensors))
    part = torch.randperm(24, generator=order)
    z = x[part] @ weight.T + bias
    noisy = z + gumbel(z, order)
    hard = torch.eye(3, dtype=z.dtype)[noisy.argmax(1)]
    wanted = torch.where((part >= 15)[:, None], torch.softmax(noisy / temperature, 1), hard)
    r = (torch.softmax(z, 1) - wanted) / 24
    torch.testing.assert_close(unlearned.weight, weight - 0.5 * r.T @ x[part], rtol=0, atol=1e-12)
    torch.testing.assert_close(unlearned.bias, bias - 0.5 * r.sum(0), rtol=0, atol=1e-12)


def test_it_stops_where_the_forget_set_is_worse_than_unseen_data(blobs):
    """The original is right on all of validation and wrong on the forget set: there is nothing to forget."""
    model, (x, _) = linear(0), blobs(60, 0, dtype=torch.float64).tensors
    y = model(x).argmax(1)
    retain, forget = TensorDataset(x[:30], y[:30]), TensorDataset(x[30:39], (y[30:39] + 1) % 3)
    method = LoTUS(validation=TensorDataset(x[40:], y[40:]))
    assert torch.equal(method(model, retain, forget, seed=3).weight, model.weight)
    assert not torch.equal(LoTUS()(model, retain, forget, seed=3).weight, model.weight)


def test_noise_has_a_gumbel_law():
    drawn = gumbel(torch.zeros(4000, dtype=torch.float64), torch.Generator().manual_seed(0))
    assert kstest(drawn.numpy(), "gumbel_r").pvalue > 1e-3


def test_labels_of_the_retain_set_are_not_used(blobs):
    (x, y), forget, model = blobs(30, 0).tensors, blobs(9, 1), nn.Linear(4, 3)
    one, other = (LoTUS(epochs=2)(model, TensorDataset(x, labels), forget, seed=3) for labels in (y, (y + 1) % 3))
    assert torch.equal(one.weight, other.weight)


def test_validation_must_be_unseen(blobs):
    retain, forget = blobs(30, 0), blobs(9, 1)
    with pytest.raises(ValueError, match="unseen"):
        LoTUS(validation=forget)(nn.Linear(4, 3), retain, forget, seed=3)
    with pytest.raises(ValueError, match="empty"):
        LoTUS(validation=[])


@pytest.mark.parametrize("wrong", [{"alpha": -1}, {"retain_share": 0}])
def test_hyper_parameters_are_checked(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        LoTUS(**wrong)
