"""A method of one's own, written from scratch: noise on the weights, then fine-tuning on what is kept."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy


@dataclass(frozen=True)
class NoisyFineTune:
    """Blur what the weights remember, and recover what the retain set teaches. It guarantees nothing.

    noise: standard deviation of the Gaussian noise, relative to that of each weight tensor.
    """

    noise: float = 0.1
    epochs: int = 2
    lr: float = 0.05
    batch_size: int = 16

    def __call__(self, model: nn.Module, retain: Sequence[Any], forget: Sequence[Any], *, seed: int) -> nn.Module:
        if len(retain) == 0:
            raise ValueError("NoisyFineTune was asked to forget the whole dataset: the retain set is empty.")
        unlearned = deepcopy(model)
        if len(forget) == 0:
            return unlearned
        # The noise, the order of the batches and dropout all draw from the global state: seed it, and give it back.
        with torch.random.fork_rng(), torch.enable_grad():
            torch.manual_seed(seed)
            self._blur(unlearned)
            self._fine_tune(unlearned, *_stack(retain, unlearned))
        unlearned.zero_grad(set_to_none=True)
        for module, original in zip(unlearned.modules(), model.modules(), strict=True):
            module.training = original.training
        return unlearned

    @torch.no_grad()
    def _blur(self, model: nn.Module) -> None:
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(self.noise * weight.std(correction=0) * torch.randn_like(weight))

    def _fine_tune(self, model: nn.Module, x: Tensor, y: Tensor) -> None:
        model.train()
        optimizer = torch.optim.SGD([w for w in model.parameters() if w.requires_grad], lr=self.lr)
        for _ in range(self.epochs):
            for batch in torch.randperm(len(y)).split(self.batch_size):
                if len(batch) == 1 < len(y):  # BatchNorm cannot train on a single example
                    continue
                optimizer.zero_grad()
                cross_entropy(model(x[batch]), y[batch]).backward()
                optimizer.step()


def _stack(dataset: Sequence[Any], model: nn.Module) -> tuple[Tensor, Tensor]:
    """All examples on the model's device, and floating-point inputs in its dtype."""
    weight = next(model.parameters())
    rows, labels = zip(*(dataset[i] for i in range(len(dataset))), strict=True)
    x = torch.stack([torch.as_tensor(row) for row in rows])
    x = x.to(weight.device, weight.dtype if x.is_floating_point() else x.dtype)
    return x, torch.tensor([int(label) for label in labels], device=weight.device)
