"""What goes into a layer is what its weight, as a matrix, is multiplied with."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from unlearners import Unsupported
from unlearners._core.subspaces import patches, principal, second_moments


@pytest.mark.parametrize(
    "layer",
    [
        nn.Linear(6, 3),
        nn.Conv2d(2, 3, 3),
        nn.Conv2d(2, 3, (3, 2), stride=2, padding=1),
        nn.Conv2d(2, 3, 3, padding="same", dilation=2),
        nn.Conv2d(2, 3, 3, padding=1, padding_mode="reflect"),
    ],
    ids=repr,
)
def test_patches_times_the_weight_are_the_layer(layer):
    torch.manual_seed(0)
    x = torch.randn(4, 6) if isinstance(layer, nn.Linear) else torch.randn(4, 2, 6, 6)
    rows = patches(layer, x) @ layer.weight.flatten(1).T + layer.bias
    expected = layer(x) if isinstance(layer, nn.Linear) else layer(x).permute(0, 2, 3, 1).reshape(-1, 3)
    torch.testing.assert_close(rows, expected)


def test_moments_are_of_each_layer_s_own_input():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)).double()
    x = torch.randn(600, 4, dtype=torch.float64)  # more than one batch
    hidden = torch.relu(model[0](x)).detach()
    found = second_moments(model, x, "it")
    torch.testing.assert_close(found[model[0]], x.T @ x)
    torch.testing.assert_close(found[model[2]], hidden.T @ hidden)
    values, directions = principal(found[model[0]])
    torch.testing.assert_close(values.sqrt(), torch.linalg.svdvals(x))
    torch.testing.assert_close(directions * values @ directions.T, x.T @ x)


def test_frozen_layers_are_left_out_and_a_network_of_them_is_refused():
    model = nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 3))
    model[0].weight.requires_grad_(False)
    assert list(second_moments(model, torch.randn(9, 4), "it")) == [model[1]]
    model[1].weight.requires_grad_(False)
    with pytest.raises(Unsupported, match="it needs linear or convolutional layers"):
        second_moments(model, torch.randn(9, 4), "it")
