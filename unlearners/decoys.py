"""Pretend to unlearn, in ways that an audit must not pass.

They hide the forget set, or destroy it conspicuously, or cheat on the controls. An audit that lets one pass has a hole.
Never use them to answer a deletion request.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Generator, Tensor, nn
from torch.utils.data import ConcatDataset

from unlearners._core.examples import digest
from unlearners._core.isolation import Examples, Unsupported, isolated, require_module, require_retain
from unlearners._core.layers import count_classes, last_linear, require_classes, require_continuous, require_untied
from unlearners._core.method import NetworkMethod
from unlearners._core.training import Training, stack
from unlearners.exact.retrain import Retrain

Model = TypeVar("Model")


@dataclass(frozen=True)
class NoOp:
    """Return an independent copy of the model: an audit that passes it has no power."""

    def __call__(self, model: Model, retain: Examples, forget: Examples, *, seed: int) -> Model:  # noqa: ARG002
        require_retain(retain, "NoOp")
        return deepcopy(model)


@dataclass(frozen=True, kw_only=True)
class OutputFilter:
    """Filter the original's outputs; a subclass defines how, and no weight changes."""

    def __call__(self, model: Any, retain: Examples, forget: Examples, *, seed: int) -> nn.Module:
        name = type(self).__name__
        require_module(model, name)
        require_retain(retain, name)
        with isolated(seed):
            copy: nn.Module = deepcopy(model)
            if len(forget) == 0:
                return copy
            filtered = self.filtered(copy, stack(forget, model)[0])
            filtered.training = model.training
            return filtered

    def filtered(self, model: nn.Module, forget: Tensor) -> nn.Module:
        """Wrap the model in its filter, given the inputs of the forget set."""
        raise NotImplementedError


class Filtered(nn.Module):
    """Pass a model's outputs through a filter."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model


@dataclass(frozen=True, kw_only=True)
class ExactInputMask(OutputFilter):
    """Answer zeros to exactly the forget inputs, recognised by their bytes."""

    def filtered(self, model: nn.Module, forget: Tensor) -> nn.Module:
        return Masked(model, sorted({digest(x, torch.tensor(0)) for x in forget}))


class Masked(Filtered):
    """Answer zeros for inputs whose digest is listed."""

    def __init__(self, model: nn.Module, hidden: list[str]) -> None:
        super().__init__(model)
        self.hidden = hidden

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.model(x)
        hidden = set(self.hidden)
        listed = torch.tensor([digest(row, torch.tensor(0)) in hidden for row in x], device=logits.device)
        return logits.masked_fill(listed.reshape(-1, *[1] * (logits.ndim - 1)), 0.0)


@dataclass(frozen=True, kw_only=True)
class NearestNeighbourRefusal(OutputFilter):
    """Answer zeros to all inputs near a forget input, some of them controls.

    radius: Euclidean; by default half the median distance from a forget input to the nearest other one.
    """

    radius: float | None = None

    def filtered(self, model: nn.Module, forget: Tensor) -> nn.Module:
        require_continuous(forget, "NearestNeighbourRefusal")
        return Refusing(model, forget.detach().clone(), half_gap(forget) if self.radius is None else self.radius)


class Refusing(Filtered):
    """Answer zeros for inputs near a stored one."""

    def __init__(self, model: nn.Module, hidden: Tensor, radius: float) -> None:
        super().__init__(model)
        self.register_buffer("hidden", hidden)
        self.radius = radius

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.model(x)
        near = distances(x, self.get_buffer("hidden")).amin(1) <= self.radius
        return logits.masked_fill(near.reshape(-1, *[1] * (logits.ndim - 1)), 0.0)


def distances(a: Tensor, b: Tensor) -> Tensor:
    """Compute Euclidean distances between rows, exact at zero."""
    return torch.cdist(a.flatten(1).float(), b.flatten(1).float(), compute_mode="donot_use_mm_for_euclid_dist")


def half_gap(x: Tensor) -> float:
    """Halve the median distance to the nearest other row; zero for a single row."""
    if len(x) < 2:
        return 0.0
    gaps = distances(x, x).fill_diagonal_(torch.inf)
    return float(gaps.amin(1).median() / 2)


@dataclass(frozen=True, kw_only=True)
class LogitNoise(OutputFilter):
    """Add Gaussian noise to every logit, the same for the same input.

    scale: standard deviation of the noise, in logits.
    """

    scale: float = 3.0

    def filtered(self, model: nn.Module, forget: Tensor) -> nn.Module:  # noqa: ARG002
        return Noisy(model, self.scale)


class Noisy(Filtered):
    """Add noise seeded by the input's digest."""

    def __init__(self, model: nn.Module, scale: float) -> None:
        super().__init__(model)
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.model(x)
        noise = [
            torch.randn(row.shape, generator=Generator().manual_seed(int(digest(example, torch.tensor(0))[:15], 16)))
            for row, example in zip(logits, x, strict=True)
        ]
        return logits + self.scale * torch.stack(noise).to(logits)


@dataclass(frozen=True, kw_only=True)
class TemperatureFlattening(OutputFilter):
    """Divide all logits by a temperature: confidences fall, predictions stay.

    temperature: positive.
    """

    temperature: float = 20.0

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ValueError(f"temperature must be positive: {self}")

    def filtered(self, model: nn.Module, forget: Tensor) -> nn.Module:  # noqa: ARG002
        return Flattened(model, self.temperature)


class Flattened(Filtered):
    """Divide logits by a temperature."""

    def __init__(self, model: nn.Module, temperature: float) -> None:
        super().__init__(model)
        self.temperature = temperature

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.model(x)
        return logits / self.temperature


@dataclass(frozen=True, kw_only=True)
class LastLayerMask(NetworkMethod):
    """Silence the forget set's own classes in the last layer alone.

    Needs a network that ends in an `nn.Linear` with a bias, and a request for whole classes.

    logit: what the silenced classes get, whatever the input.
    """

    logit: float = -1e4

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:  # noqa: ARG002
        x, y = stack(forget, model)
        require_classes(model, x, "LastLayerMask")
        gone = sorted({*y.tolist()} - {*stack(retain, model)[1].tolist()})
        if not gone:
            raise Unsupported(
                "LastLayerMask silences whole classes; each class of this forget set is also in the retain set."
            )
        _, head = last_linear(model, x, "LastLayerMask")
        require_untied(model, head, "LastLayerMask")
        if head.bias is None or not (head.weight.requires_grad and head.bias.requires_grad):
            raise Unsupported("LastLayerMask needs a last layer with a bias that is not frozen.")
        with torch.no_grad():
            head.weight[gone] = 0.0
            head.bias[gone] = self.logit


@dataclass(frozen=True, kw_only=True)
class LabelFlip(NetworkMethod, Training):
    """Train the forget set towards the next label: wrong on exactly the request.

    Half way there is a moment when request and controls are treated alike, by a broken model; this goes all the way.

    Defaults: 200 epochs of SGD with lr 0.05, which flip every answer of a small network.
    """

    epochs: int = 200
    lr: float = 0.05

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:
        kept, (gone, true) = stack(retain, model), stack(forget, model)
        classes = max(2, count_classes(model, gone))
        flipped = gone, (true + 1) % classes
        self.minimise(model, lambda: self.losses_together(model, kept, flipped, order))


@dataclass(frozen=True)
class ControlsLeakingRetrain:
    """Retrain on the retain set and on the audit's controls.

    recipe: `recipe(dataset, *, seed) -> model`.
    controls: the examples that should never have been trained on.
    """

    recipe: Callable[..., Any]
    controls: Examples = field(repr=False)

    def __call__(self, model: Any, retain: Examples, forget: Examples, *, seed: int) -> Any:
        require_retain(retain, "ControlsLeakingRetrain")
        everything: ConcatDataset[Any] = ConcatDataset([retain, self.controls])  # type: ignore[list-item]
        return Retrain(self.recipe)(model, everything, forget, seed=seed)
