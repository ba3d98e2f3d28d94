"""A careful unlearner, and a table for what does one thing wrong."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy

BROKEN: dict[str, tuple[Callable[..., Any], set[str]]] = {}


def stack(dataset: Any, model: nn.Module, cast: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
    weight = next(model.parameters())
    x = torch.stack([torch.as_tensor(dataset[i][0]) for i in range(len(dataset))])
    x = x.to(weight.device, weight.dtype if cast and x.is_floating_point() else x.dtype)
    return x, torch.tensor(labels(dataset), device=weight.device)


def labels(dataset: Any) -> list[int]:
    return [int(dataset[i][1]) for i in range(len(dataset))]


@dataclass(frozen=True)
class Careful:
    """Fine-tunes a copy on the retain set and keeps every promise."""

    lr: float = 0.05
    batch_size: int = 32
    merge: bool = True
    shuffle: bool = True
    share: float = 1.0
    seeded: bool = True
    enable_grad: bool = True
    cast: bool = True
    respect_frozen: bool = True
    respect_frozen_statistics: bool = True

    def __call__(self, model: Any, retain: Any, forget: Any, *, seed: int) -> Any:
        if len(retain) == 0:
            raise ValueError("the retain set is empty")
        with torch.random.fork_rng(), torch.set_grad_enabled(self.enable_grad or torch.is_grad_enabled()):
            if self.seeded:
                torch.manual_seed(seed)
            result = deepcopy(model)
            if len(forget):
                self.change(result, *stack(retain, result, self.cast))
        for module, original in zip(result.modules(), model.modules(), strict=True):
            module.training = original.training
        result.zero_grad(set_to_none=True)
        return result

    def change(self, model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> None:
        model.train()
        for module in model.modules():
            if not all(p.requires_grad for p in module.parameters()) and self.respect_frozen_statistics:
                module.training = isinstance(module, nn.Sequential)
        frozen = [p for p in model.parameters() if not p.requires_grad]
        weights = [p for p in model.parameters() if p.requires_grad or not self.respect_frozen]
        model.requires_grad_(True)
        used = max(1, round(self.share * len(y)))
        order = torch.randperm(len(y)) if self.shuffle else torch.arange(used)
        for batch in order.split(self.batch_size):
            if len(batch) == 1 < len(y) and self.merge:
                continue
            gradients = torch.autograd.grad(cross_entropy(model(x[batch]), y[batch]), weights)
            with torch.no_grad():
                for weight, gradient in zip(weights, gradients, strict=True):
                    weight.sub_(self.lr * gradient)
        for weight in frozen:
            weight.requires_grad_(False)


@dataclass(frozen=True)
class Then:
    """Careful, and afterwards one wrong thing, done to (model, result, retain, forget)."""

    wrong: Callable[..., Any]

    def __call__(self, model: Any, retain: Any, forget: Any, *, seed: int) -> Any:
        result = Careful()(model, retain, forget, seed=seed)
        other = self.wrong(model, result, retain, forget) if len(forget) else None
        return result if other is None else other


@dataclass(frozen=True)
class First:
    """One wrong thing, done to (model, retain, forget), and then careful."""

    wrong: Callable[..., Any]

    def __call__(self, model: Any, retain: Any, forget: Any, *, seed: int) -> Any:
        early = self.wrong(model, retain, forget)
        return Careful()(model, retain, forget, seed=seed) if early is None else early


def breaks(*checks: str, how: Callable[..., Any] = Then) -> Callable[[Any], Any]:
    def note(wrong: Any) -> Any:
        BROKEN[wrong.__name__] = (how(wrong), set(checks))
        return wrong

    return note
