"""Describe one run of a method: its examples, request, seed and process state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import Subset, TensorDataset

from pytest_unlearn.conformance.case import Unsupported
from pytest_unlearn.conformance.networks import Array

EXAMPLES, REQUEST = 60, 12


@dataclass(frozen=True)
class Scenario:
    """Hold everything that a run depends on, besides the method.

    Attributes:
        network: one of `NETWORKS`, or "" for what the recipe trains.
        rows: the training set, as positions in the examples.
        forget: what must go, as positions in `rows`.
        seed, training_seed: of the method and of the model's training.
        order: of the retain set, "as given", "by class" or "by class, backwards".
        prepared: what is done to the model first, one of `PREPARATIONS`.
        container: how the two sets are handed over, one of `CONTAINERS`.
        ambient: the seed of the global random generators.
        gradients: whether gradients are on.
    """

    network: str
    rows: tuple[int, ...]
    forget: tuple[int, ...]
    seed: int = 0
    training_seed: int = 0
    order: str = "as given"
    prepared: str = "as trained"
    container: str = "tensor datasets"
    ambient: int = 1
    gradients: bool = True

    def __str__(self) -> str:
        model = f"{self.network}, " if self.network else ""
        parts = [f"{model}{len(self.forget)} of {len(self.rows)} examples to forget"]
        parts += [f"model {self.prepared}"] if self.prepared != "as trained" else []
        parts += [self.container] if self.container != "tensor datasets" else []
        parts += [f"retain set sorted {self.order}"] if self.order != "as given" else []
        parts += ["under torch.no_grad()"] if not self.gradients else []
        return ", ".join(parts)

    def asking(self, forget: Any) -> Scenario:
        """Return the same with another request."""
        return replace(self, forget=tuple(int(position) for position in forget))

    def retain(self, labels: Array) -> list[int]:
        """List what stays, as positions in `rows`; `labels` belong to `rows`."""
        kept = np.setdiff1d(np.arange(len(self.rows)), self.forget)
        if self.order != "as given":
            kept = kept[np.argsort(labels[kept], kind="stable")]
        return [int(position) for position in (kept[::-1] if "backwards" in self.order else kept)]


def some(n: int) -> Array:
    """Draw a request for a fifth of n examples."""
    return np.sort(np.random.default_rng(0).choice(n, size=max(1, n * REQUEST // EXAMPLES), replace=False))


class MapStyle:
    """Offer nothing but `__len__` and `__getitem__`, as the protocol has it."""

    def __init__(self, items: Any) -> None:
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> Any:
        return self._items[index]


def _tensors(x: Array, y: Array) -> TensorDataset:
    return TensorDataset(torch.as_tensor(x), torch.as_tensor(y))


CONTAINERS: dict[str, Callable[[Array, Array], Any]] = {
    "tensor datasets": _tensors,
    "lists of (array, int)": lambda x, y: [(row, int(label)) for row, label in zip(x, y, strict=True)],
    "datasets with __len__ and __getitem__ only": lambda x, y: MapStyle(Subset(_tensors(x, y), range(len(y)))),
}


def require_module(model: Any) -> nn.Module:
    """Refuse a model that is no torch module as unsupported."""
    if not isinstance(model, nn.Module):
        raise Unsupported(f"this check is about torch modules; the model is a {type(model).__name__}.")
    return model


def _with_gradients(model: Any) -> None:
    if isinstance(model, nn.Module):
        for weight in model.parameters():
            weight.grad = torch.ones_like(weight)


def _in_mixed_modes(model: Any) -> None:
    children = [module for module in require_module(model).train().modules() if not list(module.children())]
    children[-1].eval()


def frozen_layers(model: Any) -> list[str]:
    """Name the first half of the layers that own parameters."""
    owners = [name for name, module in require_module(model).named_modules() if list(module.parameters(recurse=False))]
    if len(owners) < 2:
        raise Unsupported("this check freezes some layers and leaves others; the model has a single layer.")
    return owners[: len(owners) // 2]


def _with_frozen_layers(model: Any) -> None:
    for name in frozen_layers(model):
        model.get_submodule(name).requires_grad_(False)


PREPARATIONS: dict[str, Callable[[Any], object]] = {
    "as trained": lambda _: None,
    "with gradients in it": _with_gradients,
    "in train mode, its last layer in eval mode": _in_mixed_modes,
    "with frozen layers": _with_frozen_layers,
    "in double precision": lambda model: require_module(model).double(),
    "on a CUDA device": lambda model: require_module(model).cuda(),
}
