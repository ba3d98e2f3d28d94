"""Add rounds of noise to a few tensors, and train these alone (RNI)."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Generator, nn

from unlearners._core.curvature import trainable
from unlearners._core.isolation import Examples
from unlearners._core.layers import NORMALISATION, last_linear, reset
from unlearners._core.method import NetworkMethod
from unlearners._core.training import Data, Training, stack
from unlearners.neurips2023.shared import add_noise


@dataclass(frozen=True, kw_only=True)
class RepeatedNoise(NetworkMethod, Training):
    """Re-initialise the last layer, then add noise to a few tensors in each epoch.

    Each epoch picks a few tensors at random, adds noise to most of them, and trains only these and the normalisation
    layers; at the end everything is trained (team Sun, NeurIPS-2023 challenge: Triantafillou et al. 2024; "RNI",
    repeated noise injection, in Cadet et al. 2024, "Deep unlearn"). The forget set is never read. A tensor is one
    weight or bias. The first epoch adds no noise, as the last layer is new; later ones spare tensors that were picked
    before, until every tensor was. No guarantee.

    epochs: how many of those epochs, at rate `lr`; optimizers start afresh in each, so the schedule is "constant".
    last_rates: a learning rate for each of the epochs at the end.
    tensors: how many are picked, at least 1; never normalisation.
    share: share of the picked ones that get noise (rounded down), between 0 and 1.
    std: standard deviation of the noise.

    Defaults: the team's for the challenge's ResNet-18, nine epochs in all. In their code tensors that were picked once
    never get noise again; in a network with few tensors none ever would, so here the memory is cleared when it is full.
    """

    epochs: int = 5
    lr: float = 2e-4
    weight_decay: float = 5e-4
    batch_size: int = 64
    last_rates: tuple[float, ...] = (2e-4, 2e-4, 2e-4, 1e-3)
    tensors: int = 9
    share: float = 0.7
    std: float = 0.04

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.schedule != "constant":
            raise ValueError(f'schedule is "constant" here; last_rates sets the rates at the end: {self}')
        if not all(0 <= rate < math.inf for rate in self.last_rates):
            raise ValueError(f"last_rates must be finite and at least 0: {self}")
        if self.tensors < 1 or not 0 <= self.share <= 1 or not 0 <= self.std < math.inf:
            raise ValueError(f"tensors must be at least 1, share between 0 and 1, std finite and at least 0: {self}")

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:  # noqa: ARG002
        weights, data = trainable(model), stack(retain, model)
        _, last = last_linear(model, data[0], "RepeatedNoise")
        reset(last, "RepeatedNoise")
        norms = [p for m in model.modules() if isinstance(m, NORMALISATION) for p in m.parameters(recurse=False)]
        others = [w for w in weights if all(w is not norm for norm in norms)]
        picked_before: set[int] = set()
        for i in range(self.epochs):
            picked = torch.randperm(len(others), generator=order)[: self.tensors].tolist()
            if i > 0:
                chosen = picked[: int(self.share * len(picked))]
                add_noise([others[j] for j in chosen if j not in picked_before], self.std)
            picked_before.update(picked)
            if len(picked_before) == len(others):
                picked_before.clear()
            self.train_epoch(model, data, order, self.lr, [others[j] for j in picked] + norms)
        for rate in self.last_rates:
            self.train_epoch(model, data, order, rate, weights)

    def train_epoch(self, model: nn.Module, data: Data, order: Generator, lr: float, only: list[nn.Parameter]) -> None:
        """Train some of the parameters for one epoch."""
        epoch = replace(self, epochs=1, lr=lr)
        epoch.minimise(model, lambda: self.losses(model, data, order), only=only)
