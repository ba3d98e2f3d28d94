from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from tests.methods.closed_forms import linear, squared
from unlearners import FineTune
from unlearners.approximate.l2_anchor import L2AnchoredFineTune


def augmented(x):
    return torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], 1)


@pytest.mark.parametrize(("seed", "momentum"), [(0, 0.0), (1, 0.9)])
@pytest.mark.parametrize("anchor", [0.01, 0.3, 20.0])
def test_on_a_quadratic_it_is_the_closed_form(seed, anchor, momentum, blobs, unreadable):
    """(H + anchor I)^-1 (H theta_retrained + anchor theta_original), for the squared loss of a linear model."""
    retain, model = blobs(40, seed, dtype=torch.float64), linear(seed)
    method = L2AnchoredFineTune(
        anchor=anchor, loss=squared, epochs=1000, lr=0.2, momentum=momentum, weight_decay=0, schedule="constant"
    )
    unlearned = method(model, retain, unreadable, seed=seed)
    x, y = augmented(retain.tensors[0]), torch.eye(3, dtype=torch.float64)[retain.tensors[1]]
    hessian, original = x.T @ x / len(x), torch.cat([model.weight, model.bias[:, None]], 1).detach()
    retrained = torch.linalg.solve(hessian, x.T @ y / len(x)).T
    expected = torch.linalg.solve(
        hessian + anchor * torch.eye(5, dtype=x.dtype), (hessian @ retrained.T + anchor * original.T)
    ).T
    torch.testing.assert_close(
        torch.cat([unlearned.weight, unlearned.bias[:, None]], 1).detach(), expected, rtol=0, atol=1e-8
    )


@pytest.mark.parametrize("anchor", [1e12, math.inf])
def test_a_large_anchor_returns_the_original(anchor, blobs, unreadable):
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
    unlearned = L2AnchoredFineTune(anchor=anchor)(model, blobs(60, 0), unreadable, seed=3)
    for new, old in zip(unlearned.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(new, old, rtol=0, atol=0 if anchor == math.inf else 1e-9)


def test_no_anchor_is_fine_tuning_bit_for_bit(blobs, unreadable):
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3))
    free, tuned, held = (
        method(model, blobs(60, 0), unreadable, seed=3).state_dict()
        for method in (L2AnchoredFineTune(anchor=0), FineTune(), L2AnchoredFineTune(anchor=1.0))
    )
    assert all(torch.equal(free[name], tuned[name]) for name in tuned)
    assert not torch.equal(held["0.weight"], tuned["0.weight"])


@pytest.mark.parametrize("wrong", [{"anchor": -1}, {"anchor": math.nan}, {"optimizer": "adam"}])
def test_hyper_parameters_are_checked(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        L2AnchoredFineTune(**wrong)
