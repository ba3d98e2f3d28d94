"""Impair with noise that the network gets most wrong, then repair."""

import math
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Generator, Tensor, nn

from unlearners._core.curvature import differentiable
from unlearners._core.distillation import frozen_copy
from unlearners._core.isolation import Examples
from unlearners._core.layers import require_classes, require_continuous
from unlearners._core.method import NetworkMethod
from unlearners._core.training import Data, Training, stack
from unlearners.class_removal.whole_classes import labels, whole_classes


@dataclass(frozen=True, kw_only=True)
class UNSIR(NetworkMethod, Training):
    """Train on error-maximising noise with some of the retain set, then repair.

    The noise is labelled as the class to forget (Tarun, Chundawat, Mandal and Kankanhalli 2023, "Fast yet effective
    machine unlearning"). For each class to forget, a batch of noise x minimises -loss(x, class) + noise_penalty * mean
    |x|^2 at the original weights in eval mode (Adam). Impair: train on that noise under the class's label and on the
    subset of the retain set. Repair: train on the subset. The inputs of the forget set are never read, only their
    labels, so the shape of the noise is that of the retained inputs. No guarantee. Only whole classes can be forgotten.

    epochs, lr, optimizer, ...: of the impair phase; and of the repair phase, but for the two that follow.
    repair_epochs, repair_lr: of the repair phase.
    samples_per_class: size of the retain subset, drawn at random from each class.
    noise_size, noise_steps, noise_lr, noise_penalty: examples of noise a class, and how they are learned.

    Defaults: 25 steps of noise, Adam with lr 1e-4, one epoch each and 500 samples a class are from the code of SSD
    (Foster et al. 2024), noise lr and penalty 0.1 and 256 examples of noise from the authors', whose learning rates of
    0.02 and 0.01 suit small networks better; batches of 128 are ours.
    Both codes copy a few images of the noise many times over, by a slip of an index; here each is used once an epoch.
    """

    epochs: int = 1
    lr: float = 1e-4
    optimizer: Literal["sgd", "adam"] = "adam"
    repair_epochs: int = 1
    repair_lr: float = 1e-4
    samples_per_class: int = 500
    noise_size: int = 256
    noise_steps: int = 25
    noise_lr: float = 0.1
    noise_penalty: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.repair_epochs < 0 or not 0 <= self.repair_lr < math.inf:
            raise ValueError(f"repair_epochs and repair_lr must be finite and at least 0: {self}")
        if self.samples_per_class < 1 or self.noise_size < 1 or self.noise_steps < 0:
            raise ValueError(f"samples_per_class and noise_size must be at least 1, noise_steps at least 0: {self}")
        if not self.noise_lr >= 0 or not self.noise_penalty >= 0:
            raise ValueError(f"noise_lr and noise_penalty must be at least 0: {self}")

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:
        kept = stack(retain, model)
        require_continuous(kept[0], "UNSIR")
        require_classes(model, kept[0], "UNSIR")
        classes = whole_classes(kept[1].tolist(), labels(forget), "UNSIR")
        subset = some_of_each(kept, self.samples_per_class, order)
        original = frozen_copy(model)
        noise = [self.noise(original, kept[0], label, order) for label in classes]
        impairing = torch.cat([subset[0], *(x for x, _ in noise)]), torch.cat([subset[1], *(y for _, y in noise)])
        self.minimise(model, lambda: self.losses(model, impairing, order))
        repair = replace(self, epochs=self.repair_epochs, lr=self.repair_lr)
        repair.minimise(model, lambda: self.losses(model, subset, order))

    def noise(self, original: nn.Module, like: Tensor, label: int, order: Generator) -> Data:
        """Learn inputs that the network is worst at calling `label`."""
        x = torch.randn(self.noise_size, *like.shape[1:], generator=order, dtype=like.dtype).to(like.device)
        y = torch.full((self.noise_size,), label, device=like.device)
        optimizer = torch.optim.Adam([x.requires_grad_()], lr=self.noise_lr)
        for _ in range(self.noise_steps):
            with differentiable(original):
                loss = -self.loss(original(x), y) + self.noise_penalty * x.square().flatten(1).sum(1).mean()
                (x.grad,) = torch.autograd.grad(loss, x)
            optimizer.step()
        return x.detach(), y


def some_of_each(data: Data, size: int, order: Generator) -> Data:
    """Draw at most `size` examples of each class at random."""
    x, y = data
    shuffled = torch.randperm(len(y), generator=order).to(y.device)
    chosen = torch.cat([shuffled[y[shuffled] == label][:size] for label in sorted({*y.tolist()})])
    return x[chosen], y[chosen]
