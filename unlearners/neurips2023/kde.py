"""Teach new first and last layers by the original (KDE)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Generator, Tensor, nn

from unlearners._core.curvature import trainable
from unlearners._core.distillation import answers, divergence, frozen_copy
from unlearners._core.isolation import Examples, Unsupported, for_any_batch
from unlearners._core.layers import last_linear, reset
from unlearners._core.method import NetworkMethod
from unlearners._core.training import Training, batches, stack
from unlearners.neurips2023.shared import CONVOLUTIONS


@dataclass(frozen=True, kw_only=True)
class KnowledgeDistillationEntropy(NetworkMethod, Training):
    """Re-initialise the first and the last layer, and distil the original.

    A warm-up on data of its own, then epochs on the retain set with cross-entropy, soft cross-entropy and KL divergence
    (team Amnesiacs, NeurIPS-2023 challenge: Triantafillou et al. 2024; "KDE" in Cadet et al. 2024, "Deep unlearn"). The
    forget set is never read, though its traces may come back through the teacher. The first layer is the first
    convolution, in a network without any the first linear or recurrent layer; the last is the linear layer that gives
    the logits. Soft cross-entropy is the divergence plus the teacher's entropy, a constant, so the second stage
    minimises cross-entropy + 2 KL(teacher || student) at the temperature, without Hinton's factor temperature^2. No
    guarantee.

    epochs, lr, schedule: of the second stage.
    warm_up_epochs, warm_up_lr: of the first, at a constant rate.
    warm_up_share: share of the retain set that is for the warm-up only, at least 0 and less than 1. The team warmed up
        on the challenge's validation set; a method here never sees data it is tested on, so this part is carved out of
        the retain set, at random. Fewer than four retain examples are not split, and there is no warm-up.
    temperature: of teacher and student in the divergence, positive.

    Defaults: the team's for the challenge's ResNet-18; warm_up_share is ours, the challenge's validation set being
    about a tenth of its training set.
    """

    epochs: int = 3
    lr: float = 1e-3
    weight_decay: float = 5e-4
    batch_size: int = 64
    schedule: Literal["constant", "cosine", "triangle"] = "cosine"
    warm_up_epochs: int = 3
    warm_up_lr: float = 9e-4
    warm_up_share: float = 0.1
    temperature: float = 5.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.warm_up_epochs < 0 or not 0 <= self.warm_up_lr < math.inf:
            raise ValueError(f"warm_up_epochs and warm_up_lr must be finite and at least 0: {self}")
        if not (0 <= self.warm_up_share < 1 and 0 < self.temperature < math.inf):
            raise ValueError(f"warm_up_share lies in [0, 1), temperature is positive: {self}")

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:  # noqa: ARG002
        trainable(model)  # raises if everything is frozen
        teacher, (x, y) = frozen_copy(model), stack(retain, model)
        own, rest = (part.to(y.device) for part in carve(len(y), self.warm_up_share, order))
        _, last = last_linear(model, x, "KnowledgeDistillationEntropy")
        for layer in dict.fromkeys((first_layer(model), last)):
            reset(layer, "KnowledgeDistillationEntropy")
        forward = for_any_batch(model)

        def warm_up() -> Iterator[Tensor]:
            for part, _ in batches((x[own], y[own]), self.batch_size, order):
                yield self.distance(answers(teacher, part), forward(part))

        def epoch() -> Iterator[Tensor]:
            for part, labels in batches((x[rest], y[rest]), self.batch_size, order):
                logits = forward(part)
                yield self.loss(logits, labels) + 2 * self.distance(answers(teacher, part), logits)

        first = replace(self, epochs=self.warm_up_epochs, lr=self.warm_up_lr, schedule="constant")
        first.minimise(model, warm_up)
        self.minimise(model, epoch)

    def distance(self, teacher: Tensor, student: Tensor) -> Tensor:
        """Average KL(teacher || student) at the temperature, from logits."""
        return divergence(teacher, student, self.temperature) / self.temperature**2


def carve(n: int, share: float, order: Generator) -> tuple[Tensor, Tensor]:
    """Split 0, ..., n-1 at random; parts hold two or more, or the first none."""
    size = min(max(2, round(share * n)), n - 2) if n >= 4 and share > 0 else 0
    shuffled = torch.randperm(n, generator=order)
    return shuffled[:size], shuffled[size:]


def first_layer(model: nn.Module) -> nn.Module:
    """Find the first convolution, or else the first linear or recurrent layer."""
    kinds: tuple[type[nn.Module], ...]
    for kinds in (CONVOLUTIONS, (nn.Linear, nn.RNNBase)):
        for module in model.modules():
            if isinstance(module, kinds):
                return module
    raise Unsupported("KnowledgeDistillationEntropy needs a convolutional, linear or recurrent layer; there is none.")
