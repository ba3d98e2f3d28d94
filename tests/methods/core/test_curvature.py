"""Gradients, Hessians and linear systems, against dense algebra."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.func import functional_call, hessian

from unlearners._core.curvature import (
    conjugate_gradient,
    example_gradients,
    flat,
    hessian_times,
    mean_of,
    total_gradient,
    trainable,
    unflatten,
)
from unlearners._core.training import loss_of


def network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 3)).double()


def data(seed: int, n: int = 20):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, 3, generator=generator, dtype=torch.float64), torch.arange(n) % 3


def dense_hessian(model, x, y):
    names, weights = zip(*model.named_parameters(), strict=True)
    start = flat([w.detach() for w in weights])

    def loss(vector):
        return loss_of(functional_call(model, dict(zip(names, unflatten(vector, weights), strict=True)), (x,)), y)

    return hessian(loss)(start)


@pytest.mark.parametrize("seed", range(3))
def test_hessian_products_are_those_of_the_dense_hessian(seed):
    model, (x, y) = network(seed), data(seed)
    vector = torch.randn(31, dtype=torch.float64)
    product = hessian_times(model, (x, y), loss_of)(vector)
    torch.testing.assert_close(product, dense_hessian(model, x, y) @ vector, rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_gradients_of_examples_add_up(seed):
    model, (x, y) = network(seed), data(seed)
    single = [torch.cat([p.flatten(1) for p in parts], 1) for parts in example_gradients(model, (x, y), loss_of)]
    expected = total_gradient(model, (x, y), loss_of)
    torch.testing.assert_close(torch.cat(single).sum(0), expected, rtol=0, atol=1e-12)
    squares = mean_of(example_gradients(model, (x, y), loss_of), torch.square)
    torch.testing.assert_close(flat(squares), torch.cat(single).square().mean(0), rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_conjugate_gradients_solve_a_positive_definite_system(seed):
    generator = torch.Generator().manual_seed(seed)
    root = torch.randn(12, 12, generator=generator, dtype=torch.float64)
    matrix, b = root @ root.T + torch.eye(12, dtype=torch.float64), torch.randn(12, dtype=torch.float64)
    x, residual = conjugate_gradient(lambda v: matrix @ v, b, tolerance=1e-12, steps=200)
    torch.testing.assert_close(x, torch.linalg.solve(matrix, b), rtol=0, atol=1e-9)
    assert residual < 1e-10


def test_conjugate_gradients_stop_where_there_is_no_solution():
    b = torch.tensor([1.0, 1.0], dtype=torch.float64)
    x, residual = conjugate_gradient(lambda v: -v, b, tolerance=1e-6, steps=9)
    assert torch.equal(x, torch.zeros_like(b))
    assert residual == pytest.approx(1)
    nothing, left = conjugate_gradient(lambda v: v, torch.zeros(2), tolerance=1e-6, steps=9)
    assert not nothing.any()
    assert left == 0.0


def test_frozen_parameters_have_no_part_in_it():
    model = network(0)
    model[0].requires_grad_(False)
    assert len(trainable(model)) == 2
    assert len(total_gradient(model, data(0), loss_of)) == 15
    assert [p.shape[1:] for p in next(example_gradients(model, data(0), loss_of))] == [(3, 4), (3,)]
