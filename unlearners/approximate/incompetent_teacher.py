"""Distil from a trained teacher on retain, an untrained one on forget."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Generator, Tensor, nn

from unlearners._core.distillation import answers, divergence, frozen_copy
from unlearners._core.isolation import Examples, with_running_statistics
from unlearners._core.layers import layers, reset
from unlearners._core.method import NetworkMethod
from unlearners._core.training import Data, Training, batches, stack


@dataclass(frozen=True, kw_only=True)
class IncompetentTeacher(NetworkMethod, Training):
    """Distil from the original on retain and an untrained network on forget.

    Source: Chundawat, Tarun, Mandal and Kankanhalli 2023, "Can bad teaching induce forgetting?". The forget set ends up
    with near-random outputs, where a retrained model would classify most of it: it over-forgets by design. No
    guarantee. BatchNorm uses its running statistics throughout, as batches hold forget examples.

    retain_share: share of the retain set that is distilled, drawn by the seed.
    temperature: of both divergences.
    teacher: the incompetent teacher; by default the model with all layers re-initialised.

    Defaults: retain_share 0.3, temperature 1, 1 epoch of Adam with lr 1e-4 and batches of 256 are the authors'.
    """

    epochs: int = 1
    lr: float = 1e-4
    batch_size: int = 256
    optimizer: Literal["sgd", "adam"] = "adam"
    retain_share: float = 0.3
    temperature: float = 1.0
    teacher: nn.Module | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.retain_share <= 1 or not self.temperature > 0:
            raise ValueError(f"retain_share lies in (0, 1], and temperature is positive: {self}")

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:
        (x, _), (gone, _) = stack(retain, model), stack(forget, model)
        share = max(1, round(self.retain_share * len(x)))
        kept = x[torch.randperm(len(x), generator=order)[:share].to(x.device)]
        bad = frozen_copy(self.teacher).to(x) if self.teacher is not None else untrained(model)
        targets = torch.cat([answers(frozen_copy(model), kept), answers(bad, gone)])
        data: Data = torch.cat([kept, gone]), targets
        student = with_running_statistics(model)

        def epoch() -> Iterator[Tensor]:
            for inputs, wanted in batches(data, self.batch_size, order):
                yield divergence(wanted, student(inputs), self.temperature)

        self.minimise(model, epoch)


def untrained(model: nn.Module) -> nn.Module:
    """Make a frozen copy of the model with every layer re-initialised."""
    copy = frozen_copy(model).requires_grad_(True)
    for _, layer in layers(copy):
        reset(layer, "IncompetentTeacher without teacher=")
    return copy.requires_grad_(False)
