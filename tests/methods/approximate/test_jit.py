from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from tests.methods.closed_forms import linear, parts
from unlearners import Unsupported
from unlearners.approximate.jit import JiT


@pytest.mark.parametrize("seed", range(3))
def test_a_step_is_down_the_ratio_of_distances(seed, unreadable, blobs):
    """For W x + b the ratio is |W v| / |v|, and copies' logits are constants: its gradient is r r_x' / |W v| / |v|."""
    forget, model = blobs(9, seed, dtype=torch.float64), linear(seed)
    method = JiT(lr=0.1, samples=2, std=0.3)
    unlearned = method(model, unreadable, forget, seed=seed)
    order = torch.Generator().manual_seed(seed)
    x = forget.tensors[0][torch.randperm(9, generator=order)]
    weight, bias = parts(model)
    dw, db = torch.zeros_like(weight), torch.zeros_like(bias)
    for _ in range(2):
        copies = (x + 0.3 * torch.randn(x.shape, generator=order, dtype=torch.float64)).clamp(x.min(), x.max())
        away = (x - copies) @ weight.T
        r = away / away.norm(dim=1, keepdim=True) / (x - copies).norm(dim=1, keepdim=True) / 2
        dw, db = dw + r.T @ x, db + r.sum(0)
    torch.testing.assert_close(unlearned.weight, weight - 0.1 * dw, rtol=0, atol=1e-12)
    torch.testing.assert_close(unlearned.bias, bias - 0.1 * db, rtol=0, atol=1e-12)


def test_the_network_becomes_smoother_around_the_forget_set(blobs, unreadable):
    torch.manual_seed(0)
    model, forget = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 3)), blobs(30, 0)
    unlearned = JiT(epochs=60, lr=1e-3, fixed_copies=False)(model, unreadable, forget, seed=3)
    x = forget.tensors[0]
    noise = 0.1 * torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
    before, after = ((net(x) - net(x + noise)).norm().item() for net in (model, unlearned))
    assert after < 0.8 * before


def test_labels_are_not_read(blobs, unreadable):
    model, (x, y) = linear(0), blobs(9, 1, dtype=torch.float64).tensors
    one, other = (JiT()(model, unreadable, TensorDataset(x, labels), seed=3) for labels in (y, (y + 1) % 3))
    assert torch.equal(one.weight, other.weight)


def test_tokens_are_refused(unreadable):
    model = nn.Sequential(nn.Embedding(5, 4), nn.Flatten(), nn.Linear(8, 3))
    forget = TensorDataset(torch.randint(5, (9, 2)), torch.arange(9) % 3)
    with pytest.raises(Unsupported, match="JiT moves inputs"):
        JiT()(model, unreadable, forget, seed=3)


@pytest.mark.parametrize("wrong", [{"std": 0}, {"samples": 0}])
def test_hyper_parameters_are_checked(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        JiT(**wrong)
