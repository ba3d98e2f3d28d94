from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.methods.closed_forms import gradients, linear, parts
from unlearners import FineTune
from unlearners.approximate.l1_sparse import L1Sparse, penalty_weights


def test_penalty_falls_linearly_and_leaves_the_last_epochs_free():
    assert penalty_weights(0.8, 6, 2) == pytest.approx([0.8, 0.6, 0.4, 0.2, 0, 0])
    assert penalty_weights(1.0, 2, 2) == penalty_weights(1.0, 2, 5) == [0, 0]


@pytest.mark.parametrize("seed", range(3))
def test_steps_are_those_of_the_penalised_loss(seed, blobs, unreadable):
    retain, model = blobs(20, seed, dtype=torch.float64), linear(seed)
    method = L1Sparse(gamma=0.05, epochs=4, free=2, lr=0.3, momentum=0, weight_decay=0)
    unlearned = method(model, retain, unreadable, seed=seed)
    weight, bias = parts(model)
    for gamma in (0.05, 0.025, 0, 0):
        dw, db = gradients(weight, bias, *retain.tensors)
        weight, bias = weight - 0.3 * (dw + gamma * weight.sign()), bias - 0.3 * (db + gamma * bias.sign())
    torch.testing.assert_close(unlearned.weight, weight, rtol=0, atol=1e-12)
    torch.testing.assert_close(unlearned.bias, bias, rtol=0, atol=1e-12)


def test_the_network_becomes_sparse_where_fine_tuning_does_not(blobs, unreadable):
    torch.manual_seed(0)
    model, retain = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 3)), blobs(60, 0)
    settings = {"epochs": 60, "lr": 0.05, "weight_decay": 0, "batch_size": 16}
    sparse = L1Sparse(**settings, gamma=0.02, free=0)(model, retain, unreadable, seed=3)
    dense = FineTune(**settings)(model, retain, unreadable, seed=3)

    def small(network):
        return torch.cat([p.flatten().abs() < 5e-3 for p in network.parameters()]).double().mean()

    assert small(sparse) > 0.5 > 0.1 > small(dense)


def test_without_penalty_it_is_fine_tuning_bit_for_bit(blobs, unreadable):
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3))
    settings = {"epochs": 3, "lr": 0.05, "weight_decay": 1e-3}
    ours = L1Sparse(**settings, gamma=0)(model, blobs(60, 0), unreadable, seed=3)
    theirs = FineTune(**settings, schedule="constant")(model, blobs(60, 0), unreadable, seed=3)
    assert all(map(torch.equal, ours.parameters(), theirs.parameters()))


@pytest.mark.parametrize("wrong", [{"gamma": -1.0}, {"free": -1}])
def test_hyper_parameters_are_checked(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        L1Sparse(**wrong)
