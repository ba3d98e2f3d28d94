"""Boundary shrink and expand: the forget set is led to a neighbour class, or to a class that is then dropped."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from tests.methods.closed_forms import gradients, linear, parts, residual
from unlearners import Unsupported
from unlearners._core.training import loss_of
from unlearners.approximate.boundary_expand import BoundaryExpand
from unlearners.approximate.boundary_shrink import BoundaryShrink, nearest_wrong_class

METHODS = [BoundaryShrink, BoundaryExpand]


def neighbours(model, x, y, bound):
    """Likeliest other class after a step along the sign of (p - e_y) W."""
    slope = (residual(model(x), y) @ model.weight).detach()
    z = model(x + bound * slope.sign()).detach()
    z[torch.arange(len(y)), y] = -torch.inf
    return z.argmax(1)


@pytest.mark.parametrize("bound", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_nearest_wrong_class_is_the_closed_form(seed, bound, blobs):
    model, data = linear(seed, classes=5), blobs(40, seed, dtype=torch.float64).tensors
    found = nearest_wrong_class(model, data, loss_of, bound)
    assert torch.equal(found, neighbours(model, *data, bound))
    assert not (found == data[1]).any()


@pytest.mark.parametrize("seed", range(3))
def test_shrink_steps_towards_the_neighbours_of_the_original(seed, blobs, unreadable):
    model, forget = linear(seed), blobs(9, seed, dtype=torch.float64)
    unlearned = BoundaryShrink(epochs=3, lr=0.5, momentum=0, bound=0.3)(model, unreadable, forget, seed=seed)
    weight, bias = parts(model)
    targets = neighbours(model, *forget.tensors, 0.3)
    for _ in range(3):
        dw, db = gradients(weight, bias, forget.tensors[0], targets)
        weight, bias = weight - 0.5 * dw, bias - 0.5 * db
    torch.testing.assert_close(unlearned.weight, weight, rtol=0, atol=1e-12)
    torch.testing.assert_close(unlearned.bias, bias, rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_expand_steps_towards_a_shadow_class_and_drops_it(seed, blobs, unreadable):
    model, forget = linear(seed), blobs(9, seed, dtype=torch.float64)
    unlearned = BoundaryExpand(epochs=3, lr=0.5, momentum=0)(model, unreadable, forget, seed=seed)
    weight, bias = parts(model)
    weight, bias = torch.cat([weight, torch.zeros(1, 4)]), torch.cat([bias, torch.zeros(1)])
    x, shadow = forget.tensors[0], torch.full((9,), 3)
    for _ in range(3):
        dw, db = gradients(weight, bias, x, shadow)
        weight, bias = weight - 0.5 * dw, bias - 0.5 * db
    torch.testing.assert_close(unlearned.weight, weight[:3], rtol=0, atol=1e-12)
    torch.testing.assert_close(unlearned.bias, bias[:3], rtol=0, atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(3))
def test_a_class_is_no_longer_recognised(method, seed, blobs):
    """The class's accuracy falls below a third, the others keep most of theirs."""
    torch.manual_seed(seed)
    data = blobs(120, seed)
    x, y = data.tensors[0] * 2, data.tensors[1]
    model = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(200):
        optimizer.zero_grad()
        loss_of(model(x), y).backward()
        optimizer.step()
    gone = TensorDataset(x[y == 0], y[y == 0])
    unlearned = method(epochs=20, lr=5e-3)(model, TensorDataset(x[y != 0], y[y != 0]), gone, seed=seed)
    right = (unlearned(x).argmax(1) == y).double()
    assert right[y == 0].mean() < 0.34 < 0.6 < right[y != 0].mean()


@pytest.mark.parametrize("method", METHODS)
def test_a_single_logit_is_refused(method, blobs):
    with pytest.raises(Unsupported, match="single logit"):
        method()(nn.Linear(4, 1), blobs(9, 0, classes=2), blobs(9, 1, classes=2), seed=3)


def test_expand_needs_a_last_linear_layer_and_shrink_continuous_inputs(blobs):
    with pytest.raises(Unsupported, match=r"ends in an nn\.Linear"):
        BoundaryExpand()(nn.Sequential(nn.Linear(4, 3), nn.Tanh()), blobs(9, 0), blobs(9, 1), seed=3)
    tokens = TensorDataset(torch.randint(0, 5, (9, 3)), torch.arange(9) % 3)
    words = nn.Sequential(nn.Embedding(5, 4), nn.Flatten(), nn.Linear(12, 3))
    with pytest.raises(Unsupported, match="floating-point"):
        BoundaryShrink()(words, tokens, tokens, seed=3)


def test_bound_is_a_length():
    with pytest.raises(ValueError, match="bound"):
        BoundaryShrink(bound=-1)
