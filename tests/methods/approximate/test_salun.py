from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.methods.closed_forms import gradients, linear
from unlearners import RandomLabels
from unlearners.approximate.salun import SalUn


def network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 3))


def changed(one: nn.Module, other: nn.Module) -> torch.Tensor:
    return torch.cat([(a != b).flatten() for a, b in zip(one.parameters(), other.parameters(), strict=True)])


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("seed", range(3))
def test_only_the_weights_with_the_largest_forget_gradient_change(seed, share, blobs):
    retain, forget, model = blobs(30, seed, dtype=torch.float64), blobs(9, seed + 50, dtype=torch.float64), linear(seed)
    unlearned = SalUn(share=share, weight_decay=0.1)(model, retain, forget, seed=seed)
    dw, db = gradients(model.weight, model.bias, *forget.tensors)
    saliency = torch.cat([dw.flatten(), db]).abs().detach()
    largest = saliency.argsort(descending=True)[: round(share * 15)]
    expected = torch.zeros(15, dtype=torch.bool)
    expected[largest] = True
    assert torch.equal(changed(unlearned, model), expected)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_the_share_is_global_and_survives_momentum_and_weight_decay(optimizer, blobs):
    model = network(0)
    unlearned = SalUn(share=0.3, optimizer=optimizer)(model, blobs(30, 0), blobs(9, 1), seed=3)
    assert changed(unlearned, model).sum() <= round(0.3 * sum(p.numel() for p in model.parameters()))
    assert changed(unlearned, model).any()


def test_with_every_weight_it_is_random_labelling_bit_for_bit(blobs):
    model, settings = network(0), {"epochs": 3, "lr": 0.05, "optimizer": "sgd", "weight_decay": 1e-3}
    ours = SalUn(**settings, share=1)(model, blobs(30, 0), blobs(9, 1), seed=3)
    as_salun = {"fresh_labels": True, "true_label": True, "forget_first": True, "batch_size": 256}
    theirs = RandomLabels(**settings, **as_salun)(model, blobs(30, 0), blobs(9, 1), seed=3)
    assert not changed(ours, theirs).any()


def test_with_no_weight_nothing_changes(blobs):
    model = network(0)
    assert not changed(SalUn(share=0)(model, blobs(30, 0), blobs(9, 1), seed=3), model).any()


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_share_is_a_share(share):
    with pytest.raises(ValueError, match="share"):
        SalUn(share=share)
