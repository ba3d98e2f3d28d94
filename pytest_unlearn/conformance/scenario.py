"""One run of a method: on which examples, asked to forget which, with which seed, in which state of the process."""

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
class Trial:
    """Everything that a run depends on, besides the method.

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

    def asking(self, forget: Any) -> Trial:
        """The same with another request."""
        return replace(self, forget=tuple(int(position) for position in forget))

    def retain(self, labels: Array) -> list[int]:
        """What stays, as positions in `rows`, in this trial's order; `labels` belong to `rows`."""
        kept = np.setdiff1d(np.arange(len(self.rows)), self.forget)
        if self.order != "as given":
            kept = kept[np.argsort(labels[kept], kind="stable")]
        return [int(position) for position in (kept[::-1] if "backwards" in self.order else kept)]


def some(n: int) -> Array:
    """A request for a fifth of n examples, drawn at random."""
    return np.sort(np.random.default_rng(0).choice(n, size=max(1, n * REQUEST // EXAMPLES), replace=False))


class MapStyle:
    """Nothing but `__len__` and `__getitem__`, as the protocol has it."""

    def __init__(self, items: Any) -> None:
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> Any:
        return self._items[index]


def _pairs(x: Array, y: Array) -> list[tuple[Array, int]]:
    return [(row, int(label)) for row, label in zip(x, y, strict=True)]


def _tensors(x: Array, y: Array) -> TensorDataset:
    return TensorDataset(torch.as_tensor(x), torch.as_tensor(y))


CONTAINERS: dict[str, Callable[[Array, Array], Any]] = {
    "tensor datasets": _tensors,
    "lists of (array, int)": _pairs,
    "datasets with __len__ and __getitem__ only": lambda x, y: MapStyle(Subset(_tensors(x, y), range(len(y)))),
}


def _module(model: Any) -> nn.Module:
    if not isinstance(model, nn.Module):
        raise Unsupported(f"this check is about torch modules; the model is a {type(model).__name__}.")
    return model


def _with_gradients(model: Any) -> None:
    if isinstance(model, nn.Module):
        for weight in model.parameters():
            weight.grad = torch.ones_like(weight)


def _in_mixed_modes(model: Any) -> None:
    children = [module for module in _module(model).train().modules() if not list(module.children())]
    children[-1].eval()


def frozen_layers(model: Any) -> list[str]:
    """The first half of the layers that own parameters, by name."""
    owners = [name for name, module in _module(model).named_modules() if list(module.parameters(recurse=False))]
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
    "in double precision": lambda model: _module(model).double(),
    "on a CUDA device": lambda model: _module(model).cuda(),
}
