"""CF-k and EU-k: only the last k layers change; EU-k's do not remember what they were."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from unlearners import FineTune
from unlearners.approximate.cf_k import CFk
from unlearners.approximate.eu_k import EUk


def network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    first = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU())
    second = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.ReLU())
    return nn.Sequential(first, second, nn.Dropout(0.2), nn.Linear(8, 3))


def state(model: nn.Module, block: int) -> list[torch.Tensor]:
    return list(model[block].state_dict().values())


def same(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return all(map(torch.equal, one, other))


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("method", [CFk, EUk])
def test_earlier_layers_are_bit_identical_with_their_statistics(method, k, blobs, unreadable):
    model = network(0)
    unlearned = method(k=k, epochs=2)(model, blobs(60, 0), unreadable, seed=3)
    blocks = [0, 1, 3]
    assert [same(state(unlearned, b), state(model, b)) for b in blocks] == [b in blocks[:-k] for b in blocks]


@pytest.mark.parametrize("k", [3, 9])
def test_with_every_layer_cf_is_fine_tuning_bit_for_bit(k, blobs, unreadable):
    model = network(0)
    whole, tuned = (m(model, blobs(60, 0), unreadable, seed=3).state_dict() for m in (CFk(k=k), FineTune()))
    assert same(list(whole.values()), list(tuned.values()))


@pytest.mark.parametrize("k", [1, 2, 3])
def test_eu_depends_on_the_original_only_through_the_frozen_layers(k, blobs, unreadable):
    """Whatever the last k layers were, the same seed gives the same new ones; CF-k's remember."""
    one, other = network(0), network(1)
    blocks = [0, 1, 3]
    for block in blocks[:-k]:
        other[block].load_state_dict(one[block].state_dict())
    exact = [EUk(k=k, epochs=2)(model, blobs(60, 0), unreadable, seed=3) for model in (one, other)]
    tuned = [CFk(k=k, epochs=2)(model, blobs(60, 0), unreadable, seed=3) for model in (one, other)]
    assert same(*(list(m.state_dict().values()) for m in exact))
    assert not same(*(state(m, 3) for m in tuned))


def test_eu_with_no_training_is_a_new_draw_from_the_constructors_law(blobs, unreadable):
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    with torch.no_grad():
        model[2].weight.add_(100)
    unlearned = EUk(k=1, epochs=0)(model, blobs(60, 0), unreadable, seed=3)
    assert unlearned[2].weight.abs().max() <= 8**-0.5


def test_cf_starts_from_the_original(blobs, unreadable):
    model = network(0)
    unlearned = CFk(k=1, epochs=0)(model, blobs(60, 0), unreadable, seed=3)
    assert same(list(unlearned.state_dict().values()), list(model.state_dict().values()))


@pytest.mark.parametrize("method", [CFk, EUk])
def test_k_is_at_least_one(method):
    with pytest.raises(ValueError, match="k is a number of layers"):
        method(k=0)
