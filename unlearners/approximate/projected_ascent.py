"""Ascend the loss on the forget set within a ball around the original (PGA)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor, nn
from torch.nn.utils import clip_grad_norm_

from unlearners._core.distillation import answers, class_logits, frozen_copy
from unlearners._core.isolation import Examples, with_running_statistics
from unlearners._core.method import NetworkMethod
from unlearners._core.training import Training, stack


@dataclass(frozen=True, kw_only=True)
class ProjectedAscent(NetworkMethod, Training):
    """Maximise the loss on the forget set in a ball around the weights, then repair.

    Source: Halimi, Kadhe, Rawat and Baracaldo 2022, "Federated unlearning: how to efficiently erase a client in FL?"
    (projected gradient ascent). Gradients are cut to a length, and after each step the weights are put back into the
    ball |theta - theta_original| <= radius * |theta_original|; ascent stops as soon as at most `until` of the forget
    set is classified as labelled, looked at before each epoch. Then an ordinary training on the retain set repairs what
    was harmed. In the paper the ball is around the mean of the clients that stay, and its radius a third of the
    distance to random networks; a single model has no clients, and the original stands in the centre. BatchNorm uses
    its running statistics in the ascent, as in `GradientAscent`. No guarantee.

    epochs, lr, ...: of the ascent; the repair differs in the two that follow.
    repair_epochs, repair_lr: of the repair.
    radius: of the ball, as a share of the length of all trainable weights, at least 0; infinity is no ball.
    until: accuracy on the forget set at which ascent ends, in [0, 1].
    clip: the largest length of a gradient in the ascent, positive; infinity leaves it as it is.

    Defaults: 5 epochs, lr 0.01 with momentum 0.9, clip 5 and `until` 0.12 are the authors' for MNIST, whose chance
    level is 0.1 (their code ends at a distance from the client's model instead); radius and the repair are ours.
    """

    epochs: int = 5
    lr: float = 0.01
    repair_epochs: int = 1
    repair_lr: float = 0.01
    radius: float = 0.1
    until: float = 0.12
    clip: float = 5.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.repair_epochs < 0 or not 0 <= self.repair_lr < math.inf:
            raise ValueError(f"repair_epochs and repair_lr must be finite and at least 0: {self}")
        if not self.radius >= 0 or not 0 <= self.until <= 1:
            raise ValueError(f"radius is at least 0, until lies between 0 and 1: {self}")
        if not self.clip > 0:
            raise ValueError(f"clip is positive: {self}")

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:
        kept, gone, forward = stack(retain, model), stack(forget, model), with_running_statistics(model)
        weights = [p for p in model.parameters() if p.requires_grad]
        centre = [p.detach().clone() for p in weights]
        limit = self.radius * length(centre) if self.radius < math.inf else math.inf

        @torch.no_grad()
        def put_back(_: float) -> None:
            away = length([w - c for w, c in zip(weights, centre, strict=True)])
            if away > limit:
                for weight, start in zip(weights, centre, strict=True):
                    weight.copy_(start + (weight - start) * (limit / away))

        def ascent() -> Iterator[Tensor]:
            right = class_logits(answers(frozen_copy(model), gone[0])).argmax(1) == gone[1]
            if float(right.double().mean()) > self.until:
                yield from (-loss for loss in self.losses(forward, gone, order))

        self.minimise(model, ascent, after_step=put_back)
        repair = replace(self, epochs=self.repair_epochs, lr=self.repair_lr, clip=math.inf)
        repair.minimise(model, lambda: self.losses(model, kept, order))

    def _optimizer(self, weights: list[nn.Parameter]) -> torch.optim.Optimizer:
        def cut(*_: object) -> None:
            clip_grad_norm_(weights, self.clip)

        optimizer = super()._optimizer(weights)
        if self.clip < math.inf:
            optimizer.register_step_pre_hook(cut)
        return optimizer


def length(tensors: list[Tensor]) -> float:
    """Return the Euclidean length of all elements."""
    return float(torch.stack([t.detach().double().square().sum() for t in tensors]).sum().sqrt()) if tensors else 0.0
