"""Train by the loop that the gradient methods share."""

import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from unlearners._core.isolation import Examples, Unsupported, for_any_batch, normalising, without_remembering

Data = tuple[Tensor, Tensor]
Loss = Callable[[Tensor, Tensor], Tensor]


def stack(dataset: Examples, model: nn.Module) -> Data:
    """Stack (x, y) on the model's device, floating x in its parameters' dtype.

    Each example is read once: a dataset that augments at random contributes one draw, not one per epoch.
    """
    if len(dataset) == 0:
        raise ValueError("There is nothing to train on: the dataset is empty.")
    weight = next((p for p in model.parameters() if p.is_floating_point()), torch.empty(0))
    rows, labels = zip(*(dataset[i] for i in range(len(dataset))), strict=True)
    x = torch.stack([row.detach() if isinstance(row, Tensor) else torch.tensor(_native(row)) for row in rows])
    x = x.to(weight.device, weight.dtype if x.is_floating_point() else x.dtype)
    return x, torch.tensor([int(label) for label in labels], device=weight.device)


def noise_number(count: int, shape: torch.Size, order: torch.Generator) -> Tensor:
    """Draw the count-th (from 0) standard normal numbers of a seed, float64.

    No two draws have numbers in common. A call for each draw: one large call shares numbers with a larger one at other
    places, as the last block is redrawn.
    """
    for _ in range(count):
        torch.randn(shape, generator=order, dtype=torch.float64)
    return torch.randn(shape, generator=order, dtype=torch.float64)


def seeded(seed: int) -> torch.Generator:
    """Make a generator for the order of batches, apart from dropout's."""
    return torch.Generator().manual_seed(int(seed))


def loss_of(logits: Tensor, y: Tensor) -> Tensor:
    """Compute the mean cross-entropy; a model with a single logit is binary."""
    if logits.ndim <= 1 or logits.shape[-1] == 1:
        return binary_cross_entropy_with_logits(logits.reshape(len(y)), y.to(logits.dtype))
    return cross_entropy(logits, y)


def chunks(data: Data, size: int = 1024) -> Iterator[Data]:
    """Yield the data in order, some examples at a time."""
    x, y = data
    for start in range(0, len(y), size):
        yield x[start : start + size], y[start : start + size]


def batches(data: Data, batch_size: int, order: torch.Generator) -> Iterator[Data]:
    """Yield one shuffled epoch of (x, y)."""
    x, y = data
    shuffled = torch.randperm(len(y), generator=order)
    parts = [shuffled[i : i + batch_size] for i in range(0, len(y), batch_size)]
    # BatchNorm cannot train on one example, so a last batch of one joins the batch before it.
    if len(parts) > 1 and len(parts[-1]) == 1 < batch_size:
        parts[-2:] = [torch.cat(parts[-2:])]
    for part in parts:
        part = part.to(y.device)
        yield x[part], y[part]


def forever(data: Data, batch_size: int, order: torch.Generator) -> Iterator[Data]:
    """Yield batches of one shuffled epoch after another, without end."""
    while True:
        yield from batches(data, batch_size, order)


@dataclass(frozen=True, kw_only=True)
class Training:
    """Set how a gradient method trains; each documents its own defaults.

    epochs, batch_size: passes over the data, and examples a step (128: the NeurIPS-2023 starting kit).
    lr, momentum, weight_decay: of the optimizer; momentum is for "sgd" only.
    optimizer: "sgd" or "adam".
    schedule: "constant"; "cosine", which takes the learning rate to zero over the epochs; or "triangle", which takes it
        linearly up to lr, half-way, and down again.
    loss: mean loss of a batch, `loss(logits, y)`; by default cross-entropy, which with one logit is binary.
    """

    epochs: int
    lr: float
    momentum: float = 0.9
    weight_decay: float = 0.0
    batch_size: int = 128
    optimizer: Literal["sgd", "adam"] = "sgd"
    schedule: Literal["constant", "cosine", "triangle"] = "constant"
    loss: Loss = loss_of

    def __post_init__(self) -> None:
        if self.epochs < 0 or self.batch_size < 1 or not 0 <= self.lr < math.inf:
            raise ValueError(f"epochs and lr must be finite and at least 0, batch_size at least 1: {self}")
        if not 0 <= self.momentum < 1 or not 0 <= self.weight_decay < math.inf:
            raise ValueError(f"momentum lies in [0, 1), and weight_decay is finite and at least 0: {self}")
        if self.optimizer not in ("sgd", "adam") or self.schedule not in ("constant", "cosine", "triangle"):
            raise ValueError(f'optimizer is "sgd" or "adam", schedule "constant", "cosine" or "triangle": {self}')

    def losses(self, model: Callable[[Tensor], Tensor], data: Data, order: torch.Generator) -> Iterator[Tensor]:
        """Yield the loss of each batch of a shuffled epoch, on the current weights."""
        forward = for_any_batch(model) if isinstance(model, nn.Module) else model
        for x, y in batches(data, self.batch_size, order):
            yield self.loss(forward(x), y)

    def minimise(
        self,
        model: nn.Module,
        epoch: Callable[[], Iterable[Tensor]],
        *,
        only: Iterable[nn.Parameter] | None = None,
        after_step: Callable[[float], None] | None = None,
    ) -> None:
        """Step on every loss of `epoch()`; on divergence keep the last finite weights.

        epoch: called at the start of each epoch; a generator resumes after the step on its loss was taken.
        only: the parameters to train, where it is not all; frozen ones stay frozen.
        after_step: called with the learning rate after each step, to put something back for instance.
        """
        weights = [p for p in (model.parameters() if only is None else only) if p.requires_grad]
        if not weights:
            raise Unsupported("There is nothing to train: every parameter of the model is frozen.")
        optimizer = self._optimizer(weights)
        state = [*model.parameters(), *model.buffers()]
        finite = _clone(state)
        for i in range(self.epochs):
            optimizer.param_groups[0]["lr"] = self.rate(i)
            for loss in epoch():
                healthy = bool(loss.isfinite())
                if healthy:
                    optimizer.zero_grad()
                    loss.backward()  # type: ignore[no-untyped-call]
                    optimizer.step()
                    if after_step is not None:
                        after_step(optimizer.param_groups[0]["lr"])
                    # A finite loss can still have an infinite gradient, and BatchNorm hides what it has seen.
                    healthy = all(bool(t.isfinite().all()) for t in (*weights, *model.buffers()))
                if healthy:
                    finite = _clone(state)
                else:
                    with torch.no_grad():
                        for tensor, last in zip(state, finite, strict=True):
                            tensor.copy_(last)
                    warnings.warn(
                        f"{type(self).__name__} diverged in epoch {i + 1} of {self.epochs} and was stopped; "
                        "the last finite weights are kept. A smaller lr may help.",
                        RuntimeWarning,
                        stacklevel=3,
                    )
                    return

    def losses_together(self, model: nn.Module, kept: Data, gone: Data, order: torch.Generator) -> Iterator[Tensor]:
        """Yield losses over both sets mixed; retain alone updates BatchNorm."""
        x, forward, last = torch.cat([kept[0], gone[0]]), without_remembering(model), len(kept[1])
        numbers, labels = torch.arange(len(x), device=x.device), torch.cat([kept[1], gone[1]])
        for chosen, y in batches((numbers, labels), self.batch_size, order):
            own = chosen[chosen < last]
            if len(own) > 1 and normalising(model):
                with torch.no_grad():
                    model(x[own])
            yield self.loss(forward(x[chosen]), y)

    def rate(self, epoch: int) -> float:
        """Return the learning rate of an epoch, counted from zero."""
        if self.schedule == "cosine":
            return self.lr * (1 + math.cos(math.pi * epoch / self.epochs)) / 2
        if self.schedule == "triangle":
            peak = (self.epochs + 1) // 2
            return self.lr * min((epoch + 1) / peak, (self.epochs - epoch) / (self.epochs + 1 - peak))
        return self.lr

    def _optimizer(self, weights: list[nn.Parameter]) -> torch.optim.Optimizer:
        if self.optimizer == "adam":
            return torch.optim.Adam(weights, lr=self.lr, weight_decay=self.weight_decay)
        return torch.optim.SGD(weights, lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay)


def _clone(tensors: list[Tensor]) -> list[Tensor]:
    return [t.detach().clone() for t in tensors]


def _native(row: Any) -> Any:
    """Give an array that torch can read, whatever its strides and byte order."""
    if isinstance(row, np.ndarray):
        return np.ascontiguousarray(row, dtype=row.dtype.newbyteorder("="))
    return row
