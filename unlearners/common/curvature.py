"""Gradients and curvature of a loss at a network's weights, as flat vectors over its trainable parameters."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from unlearners.common.isolation import Unsupported
from unlearners.common.training import Data, Loss

BATCH = 1024


def trainable(model: nn.Module) -> list[nn.Parameter]:
    """The parameters that are not frozen; it is an error if there are none."""
    weights = [p for p in model.parameters() if p.requires_grad]
    if not weights:
        raise Unsupported("There is nothing to train: every parameter of the model is frozen.")
    return weights


def chunks(data: Data, size: int = BATCH) -> Iterator[Data]:
    """The data in order, some examples at a time."""
    x, y = data
    for start in range(0, len(y), size):
        yield x[start : start + size], y[start : start + size]


def flat(tensors: list[Tensor] | tuple[Tensor, ...]) -> Tensor:
    """One vector of all the elements."""
    return torch.cat([t.reshape(-1) for t in tensors])


def add(weights: list[nn.Parameter], step: Tensor) -> None:
    """Add a flat vector to the weights, in place."""
    with torch.no_grad():
        start = 0
        for weight in weights:
            weight.add_(step[start : start + weight.numel()].view_as(weight))
            start += weight.numel()


def total_gradient(model: nn.Module, data: Data, loss: Loss) -> Tensor:
    """The gradient of the loss summed over the examples (loss is a mean), at the model's modes."""
    weights, total = trainable(model), torch.zeros(())
    for x, y in chunks(data):
        total = total.to(y.device) + len(y) * _gradient(loss(model(x), y), weights)
    return total.detach()


def hessian_times(model: nn.Module, data: Data, loss: Loss) -> Callable[[Tensor], Tensor]:
    """v -> H v, with H the Hessian of the mean loss over the data (Pearlmutter 1994), computed batch by batch."""
    weights = trainable(model)

    def product(vector: Tensor) -> Tensor:
        total = torch.zeros_like(vector)
        for x, y in chunks(data):
            slope = _gradient(loss(model(x), y), weights, create_graph=True)
            total += len(y) * _gradient(slope @ vector, weights).detach()
        return total / len(data[1])

    return product


def conjugate_gradient(
    apply: Callable[[Tensor], Tensor], b: Tensor, *, tolerance: float, steps: int
) -> tuple[Tensor, float]:
    """Solve A x = b for a symmetric positive definite A (Hestenes and Stiefel 1952), from x = 0.

    Stops at the relative residual `tolerance`, after `steps`, or on a direction of negative curvature, where a
    solution of a positive definite system would not be.

    Returns: x, and the relative residual |b - A x| / |b|.
    """
    x, residual = torch.zeros_like(b), b.clone()
    direction, squared, size = residual.clone(), residual @ residual, b.norm()
    if size == 0:
        return x, 0.0
    for _ in range(steps):
        if squared.sqrt() <= tolerance * size:
            break
        bent = apply(direction)
        curvature = direction @ bent
        if curvature <= 0:
            break
        x = x + squared / curvature * direction
        residual = residual - squared / curvature * bent
        previous, squared = squared, residual @ residual
        direction = residual + squared / previous * direction
    return x, float(squared.sqrt() / size)


def example_gradients(model: nn.Module, data: Data, loss: Loss) -> Iterator[list[Tensor]]:
    """The gradient of each single example, a list of tensors shaped like the trainable parameters."""
    weights = trainable(model)
    for x, y in chunks(data, 1):
        parts = torch.autograd.grad(loss(model(x), y), weights, allow_unused=True)
        yield [torch.zeros_like(w) if p is None else p for w, p in zip(weights, parts, strict=True)]


def _gradient(value: Tensor, weights: list[nn.Parameter], *, create_graph: bool = False) -> Tensor:
    if not value.requires_grad:
        return torch.zeros(sum(w.numel() for w in weights), dtype=weights[0].dtype, device=weights[0].device)
    parts = torch.autograd.grad(value, weights, create_graph=create_graph, allow_unused=True)
    return flat([torch.zeros_like(w) if p is None else p for w, p in zip(weights, parts, strict=True)])
