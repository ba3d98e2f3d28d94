"""Compute gradients and curvature as flat vectors over trainable parameters."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from unlearners._core.distillation import answers, log_probabilities
from unlearners._core.isolation import Unsupported
from unlearners._core.training import Data, Loss, chunks


def trainable(model: nn.Module) -> list[nn.Parameter]:
    """List the parameters that are not frozen; refuse a model without any."""
    weights = [p for p in model.parameters() if p.requires_grad]
    if not weights:
        raise Unsupported("There is nothing to train: every parameter of the model is frozen.")
    return weights


def flat(tensors: Sequence[Tensor]) -> Tensor:
    """Join all elements into one vector."""
    return torch.cat([t.reshape(-1) for t in tensors])


def unflatten(vector: Tensor, like: Sequence[Tensor]) -> list[Tensor]:
    """Split a flat vector into parts shaped like the given tensors."""
    sizes = [t.numel() for t in like]
    return [part.view_as(t) for part, t in zip(torch.split(vector, sizes), like, strict=True)]


def add(weights: list[nn.Parameter], step: Tensor) -> None:
    """Add a flat vector to the weights, in place."""
    with torch.no_grad():
        for weight, part in zip(weights, unflatten(step, weights), strict=True):
            weight.add_(part)


def total_gradient(model: nn.Module, data: Data, loss: Loss) -> Tensor:
    """Sum the gradient of the loss (a mean) over the examples."""
    weights, total = trainable(model), torch.zeros(())
    for x, y in chunks(data):
        total = total.to(y.device) + len(y) * gradient(loss(model(x), y), weights)
    return total.detach()


def hessian_times(model: nn.Module, data: Data, loss: Loss) -> Callable[[Tensor], Tensor]:
    """Make v -> H v, H the Hessian of the mean loss (Pearlmutter 1994)."""
    weights = trainable(model)

    def product(vector: Tensor) -> Tensor:
        total = torch.zeros_like(vector)
        for x, y in chunks(data):
            slope = gradient(loss(model(x), y), weights, create_graph=True)
            try:
                _require_whole_graph(slope)
                total += len(y) * gradient(slope @ vector, weights).detach()
            except torch.OutOfMemoryError:
                raise
            except RuntimeError as error:
                raise Unsupported(
                    "Products with the Hessian need layers that can be differentiated twice, and this model has one "
                    f"that cannot ({error}); a first-order method does without."
                ) from error
        return total / len(data[1])

    return product


def _require_whole_graph(value: Tensor) -> None:
    """Refuse functions differentiable once, which autograd takes for constants."""
    seen, ahead = set(), [value.grad_fn]
    while ahead:
        node = ahead.pop()
        if node is None or node in seen:
            continue
        if node.name().endswith("Error"):
            raise RuntimeError("a function is marked as differentiable once only")
        seen.add(node)
        ahead.extend(following for following, _ in node.next_functions)


@contextmanager
def differentiable(model: nn.Module) -> Iterator[None]:
    """Let recurrent layers be differentiated in eval mode, and twice.

    On any device: cuDNN's cannot be.
    """
    cudnn = torch.backends.cudnn
    if not any(isinstance(module, nn.RNNBase) for module in model.modules()):
        yield
        return
    settings = {"benchmark": cudnn.benchmark, "deterministic": cudnn.deterministic}
    with cudnn.flags(enabled=False, **settings):
        yield


def conjugate_gradient(
    apply: Callable[[Tensor], Tensor], b: Tensor, *, tolerance: float, steps: int
) -> tuple[Tensor, float]:
    """Solve A x = b for positive definite A from x = 0.

    Source: Hestenes and Stiefel 1952. Stops at the relative residual `tolerance`, after `steps`, or on a direction of
    negative curvature, where a solution of a positive definite system would not be.

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
    """Yield gradients of single examples, (examples, *shape) for each parameter."""
    weights = {name: p for name, p in model.named_parameters() if p.requires_grad}
    still = {name: t.detach() for name, t in (*model.named_parameters(), *model.named_buffers()) if name not in weights}

    def of_one(values: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return loss(functional_call(model, {**still, **values}, (x[None],)), y[None])

    many = vmap(grad(of_one), in_dims=(None, 0, 0))
    values = {name: p.detach() for name, p in weights.items()}
    for x, y in chunks(data, max(1, 2**23 // sum(w.numel() for w in trainable(model)))):
        try:
            found = many(values, x, y)
        except RuntimeError:  # not every layer can be batched over examples
            singles = [_parts(loss(model(x[i : i + 1]), y[i : i + 1]), list(weights.values())) for i in range(len(y))]
            yield [torch.stack(parts) for parts in zip(*singles, strict=True)]
        else:
            yield [found[name] for name in weights]


def mean_of(gradients: Iterator[list[Tensor]], transform: Callable[[Tensor], Tensor]) -> list[Tensor]:
    """Average a function of gradients over examples, for each parameter."""
    total: list[Tensor] = []
    n = 0
    for parts in gradients:
        sums = [transform(part).sum(0) for part in parts]
        total = [t + s for t, s in zip(total, sums, strict=True)] if total else sums
        n += len(parts[0])
    return [t / n for t in total]


def fisher_diagonal(model: nn.Module, x: Tensor) -> list[Tensor]:
    """Compute the Fisher information's diagonal: mean E_{y ~ p}(d log p(y|x))^2."""
    probabilities = log_probabilities(answers(model, x)).exp()

    def score(logits: Tensor, y: Tensor) -> Tensor:
        # The root of the probability goes into the gradient, whose square is summed.
        label, weight = y[:, 0].long(), y[:, 1].sqrt()
        return (weight * log_probabilities(logits).gather(1, label[:, None])[:, 0]).sum()

    total: list[Tensor] = []
    for label in range(probabilities.shape[1]):
        weighted = torch.stack([torch.full_like(probabilities[:, label], label), probabilities[:, label]], 1)
        part = mean_of(example_gradients(model, (x, weighted), score), torch.square)
        total = [t + p for t, p in zip(total, part, strict=True)] if total else part
    return total


def _parts(value: Tensor, weights: list[nn.Parameter], *, create_graph: bool = False) -> list[Tensor]:
    parts = torch.autograd.grad(value, weights, create_graph=create_graph, allow_unused=True)
    return [torch.zeros_like(w) if p is None else p for w, p in zip(weights, parts, strict=True)]


def gradient(value: Tensor, weights: list[nn.Parameter], *, create_graph: bool = False) -> Tensor:
    """Return a number's gradient in the weights as a vector; zero if independent."""
    if not value.requires_grad:
        return torch.zeros(sum(w.numel() for w in weights), dtype=weights[0].dtype, device=weights[0].device)
    return flat(_parts(value, weights, create_graph=create_graph))
