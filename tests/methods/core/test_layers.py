"""Finding layers in any network, and leaving no mark on it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from unlearners import Unsupported
from unlearners._core.layers import count_classes, inputs_of, last_linear, layers, reset, weight_layers


def network() -> nn.Module:
    torch.manual_seed(0)
    first = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
    return nn.Sequential(first, nn.Flatten(), nn.Linear(144, 8), nn.LayerNorm(8), nn.Dropout(0.5), nn.Linear(8, 3))


X = torch.randn(9, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def test_layers_own_weights_and_normalisation_follows_its_layer():
    model = network()
    assert [name for name, _ in layers(model)] == ["0.0", "0.1", "2", "3", "5"]
    assert weight_layers(model) == [[model[0][0], model[0][1]], [model[2], model[3]], [model[5]]]


def test_last_linear_gives_the_logits():
    name, layer = last_linear(model := network(), X, "method")
    assert (name, layer) == ("5", model[5])
    assert not model[5]._forward_hooks
    with inputs_of(layer) as seen:
        logits = model.eval()(X)
    torch.testing.assert_close(layer(seen[0]), logits)
    assert not layer._forward_pre_hooks


@pytest.mark.parametrize("after", [nn.ReLU(), nn.Tanh(), nn.LogSoftmax(1), nn.Flatten(0)])
def test_a_linear_layer_that_something_follows_is_not_the_last(after):
    """ReLU changes nothing where all logits of an example are positive, so several examples are asked."""
    layer = nn.Linear(2, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.eye(2))
        layer.bias.zero_()
    with pytest.raises(Unsupported, match=r"ends in an nn\.Linear"):
        last_linear(nn.Sequential(layer, after), torch.tensor([[1.0, 2.0], [-1.0, 2.0]]), "method")


def test_counting_classes_leaves_no_mark():
    model = network().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert count_classes(model, X) == 3
    assert count_classes(nn.Sequential(nn.Flatten(), nn.Linear(64, 1), nn.Flatten(0)), X) == 1
    assert model.training
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_a_reset_draws_anew_and_spares_what_is_frozen():
    layer = nn.Linear(4, 3)
    layer.bias.requires_grad_(False)
    weight, bias = layer.weight.detach().clone(), layer.bias.clone()
    reset(layer, "method")
    assert not torch.equal(layer.weight, weight)
    assert torch.equal(layer.bias, bias)
    frozen = nn.BatchNorm1d(3).requires_grad_(False)
    frozen.running_mean.fill_(7)
    reset(frozen, "method")
    assert torch.equal(frozen.running_mean, torch.full((3,), 7.0))


def test_a_layer_that_cannot_be_drawn_anew_is_refused():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1))

    with pytest.raises(Unsupported, match=r"cannot re-initialise Own.*reset_parameters"):
        reset(Own(), "EUk")
