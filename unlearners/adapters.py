"""Adapt other signatures to that of unlearners, and back."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import KW_ONLY, dataclass
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from unlearners._core.isolation import (
    Examples,
    Unlearner,
    Unsupported,
    hand_over,
    isolated,
    require_module,
    require_retain,
)
from unlearners._core.training import seeded, stack


def from_loaders(fn: Callable[..., Any], *, validation_fraction: float = 0.1, batch_size: int = 64) -> Unlearner:
    """Adapt `fn(model, retain_loader, forget_loader, validation_loader)`.

    It is the signature of the NeurIPS-2023 challenge. `fn` gets a copy of the model and may change it in place
    (returning None) or return another. Its loaders yield tensors on the CPU. An empty forget set leaves nothing to do:
    `fn` is not called.

    validation_fraction: the share of the retain set that becomes the validation set, drawn by the seed. It is taken
    from retain because an unlearner never sees test data, and taken out of it so that the two do not overlap.
    batch_size: of the three loaders.
    """
    if not 0 < validation_fraction < 1:
        raise ValueError(f"validation_fraction lies strictly between 0 and 1, not {validation_fraction}")
    return FromLoaders(fn, validation_fraction=validation_fraction, batch_size=batch_size)


def to_loaders(unlearner: Unlearner, *, seed: int = 0) -> Callable[..., Any]:
    """Adapt an unlearner to loaders: the way back from `from_loaders`.

    Makes `fn(model, retain_loader, forget_loader, validation_loader) -> model`. The model that is given stays as it is;
    the unlearned one is returned. Each loader is read once, batch by batch. The validation loader is not read: an
    unlearner sees what is retained and what must go.

    seed: for the unlearner.
    """
    return partial(_on_loaders, unlearner, seed)


def _on_loaders(unlearner: Unlearner, seed: int, model: Any, retain: Any, forget: Any, validation: Any = None) -> Any:  # noqa: ARG001
    return unlearner(model, _examples(retain), _examples(forget), seed=seed)


def _examples(loader: Any) -> Examples:
    # Through the loader, never its dataset: a sampler may have left the forget set out of it.
    return [(row, label) for x, y in loader for row, label in zip(x, y, strict=True)]


@dataclass(frozen=True)
class FromLoaders:
    """Unlearn by a function on loaders, as `from_loaders` makes it."""

    fn: Callable[..., Any]
    _: KW_ONLY
    validation_fraction: float
    batch_size: int

    def __call__(self, model: Any, retain: Examples, forget: Examples, *, seed: int) -> nn.Module:
        require_module(model, "from_loaders")
        require_retain(retain, "from_loaders")
        with isolated(seed):
            copy: nn.Module = deepcopy(model)
            if len(forget) == 0:
                return copy
            result = self.fn(copy, *self._loaders(copy, retain, forget, seed))
            unlearned = copy if result is None else result
            if not isinstance(unlearned, nn.Module):
                raise Unsupported(f"{self.fn!r} must return a model or None, not {type(unlearned).__name__}.")
            hand_over(unlearned, like=model)
            return unlearned

    def _loaders(self, model: nn.Module, retain: Examples, forget: Examples, seed: int) -> list[DataLoader[Any]]:
        if len(retain) < 2:
            raise ValueError("The retain set is too small to give a validation set: it needs two examples.")
        order = seeded(seed)
        x, y = (t.cpu() for t in stack(retain, model))
        size = min(max(1, round(self.validation_fraction * len(y))), len(y) - 1)
        shuffled = torch.randperm(len(y), generator=order)
        held, kept = shuffled[:size], shuffled[size:]
        gone = TensorDataset(*(t.cpu() for t in stack(forget, model)))
        return [
            DataLoader(TensorDataset(x[kept], y[kept]), self.batch_size, shuffle=True, generator=order),
            DataLoader(gone, self.batch_size, shuffle=True, generator=order),
            DataLoader(TensorDataset(x[held], y[held]), self.batch_size),
        ]
