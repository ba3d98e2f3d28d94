from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from tests.methods.closed_forms import linear, parts, residual
from unlearners.influence.wood_fisher import WoodFisher

seeds = pytest.mark.parametrize("seed", range(3))


def rows(model: nn.Linear, data: TensorDataset) -> torch.Tensor:
    """The gradient of each example's loss, weight and then bias."""
    x, y = data.tensors
    r = residual(x @ model.weight.T + model.bias, y).detach()
    return torch.cat([(r[:, :, None] * x[:, None, :]).flatten(1), r], 1)


def pull(model: nn.Linear, retain: TensorDataset, forget: TensorDataset) -> torch.Tensor:
    kept, gone = rows(model, retain), rows(model, forget)
    return (gone.sum(0) - len(gone) / len(kept) * kept.sum(0)) / (len(gone) + len(kept))


def moved(unlearned: nn.Linear, model: nn.Linear) -> torch.Tensor:
    return torch.cat([(a - b).flatten() for a, b in zip(parts(unlearned), parts(model), strict=True)])


@seeds
def test_the_exact_inverse_is_of_the_identity_plus_the_mean_outer_product(seed, blobs):
    retain, forget, model = blobs(30, seed, dtype=torch.float64), blobs(9, seed + 50, dtype=torch.float64), linear(seed)
    unlearned = WoodFisher(step=2.0, exact=True)(model, retain, forget, seed=seed)
    kept = rows(model, retain)
    fisher = torch.eye(15, dtype=torch.float64) + kept.T @ kept / 30
    expected = 2 * torch.linalg.solve(fisher, pull(model, retain, forget))
    torch.testing.assert_close(moved(unlearned, model), expected, rtol=0, atol=1e-12)


@seeds
def test_the_recursion_is_that_of_the_papers_code(seed, blobs):
    """On copies of one example, which no order can change: k and o stay in the plane of v and g."""
    retain, forget, model = blobs(30, seed, dtype=torch.float64), blobs(9, seed + 50, dtype=torch.float64), linear(seed)
    x, y = retain.tensors
    copies = TensorDataset(x[:1].repeat(5, 1), y[:1].repeat(5))
    unlearned = WoodFisher(step=1.0)(model, copies, forget, seed=seed)
    (g,) = rows(model, copies)[:1]
    k, o = pull(model, copies, forget), g.clone()
    for _ in range(4):
        k, o = k - (k @ g) / (5 + o @ g) * o, o - (o @ g) / (5 + o @ g) * o
    torch.testing.assert_close(moved(unlearned, model), k, rtol=0, atol=1e-12)


def test_no_step_changes_nothing_and_a_step_raises_the_forget_loss(blobs):
    retain, forget, model = blobs(60, 0, dtype=torch.float64), blobs(9, 1, dtype=torch.float64), linear(0)
    still = WoodFisher(step=0.0)(model, retain, forget, seed=3)
    assert torch.equal(still.weight, model.weight)
    losses = [
        nn.functional.cross_entropy(
            WoodFisher(step=s)(model, retain, forget, seed=3)(forget.tensors[0]), forget.tensors[1]
        )
        for s in (0.0, 0.5, 1.0)
    ]
    assert losses[0] < losses[1] < losses[2]


def test_running_statistics_stay(blobs):
    model = nn.Sequential(nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 3))
    unlearned = WoodFisher(step=1.0)(model, blobs(30, 0), blobs(9, 1), seed=3)
    assert torch.equal(unlearned[0].running_mean, model[0].running_mean)
    assert not torch.equal(unlearned[2].weight, model[2].weight)


@pytest.mark.parametrize("wrong", [{"step": -1}, {"step": float("nan")}, {"examples": 0}])
def test_hyper_parameters_are_checked(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        WoodFisher(**wrong)
