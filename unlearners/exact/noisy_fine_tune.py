"""Certify removal from any network by noisy fine-tuning."""

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from unlearners._core.curvature import add, flat, gradient, trainable
from unlearners._core.isolation import Examples, Unsupported
from unlearners._core.method import NetworkMethod
from unlearners._core.training import Training, forever, noise_number, stack
from unlearners.exact.noisy_steps import absorbed, largest_rho


@dataclass(frozen=True, kw_only=True)
class NoisyFineTune(NetworkMethod, Training):
    """Clip the weights, fine-tune with clipped gradients and noise, then repair.

    Source: Koloskova, Allouah, Jha, Guerraoui and Koyejo 2025, "Certified unlearning for neural networks" (gradient
    clipping); Chien et al. 2024. All trainable weights are projected onto the ball of radius `radius`. Then come
    `noisy_steps` steps on retained batches,

        theta <- theta - noisy_lr * (clip(gradient, max_gradient) + shrinkage * theta) + N(0, sigma^2 I).

    Two runs that start from different weights are at most 2 radius apart at first, and a step takes a distance z to at
    most (1 - noisy_lr * shrinkage) z + 2 noisy_lr * max_gradient, whatever the loss. `absorbed` accounts for what the
    noise hides of it, and sigma is as small as epsilon and delta allow. What follows is fine-tuning on the retain set
    without noise, which takes nothing from the guarantee.

    Certified: (epsilon, delta)-indistinguishable from the same procedure applied to a model that was retrained without
    the forget set, or to any other, for requests that do not depend on the models and secret seeds. Nothing is asked of
    the loss. Frozen weights are taken to be public; a model with running statistics is refused, as they hold
    data. Certified is not useful: sigma (`method.sigma`) is for each single weight, so that a large network starts
    again from noise.

    epsilon, delta: the guarantee.
    radius, max_gradient, shrinkage, noisy_steps, noisy_lr: of the noisy steps; batches are of `batch_size`.
    epochs, lr, momentum, weight_decay, optimizer, schedule: of the repair.

    Defaults are ours: the authors tune all of them for each task.
    """

    epochs: int = 10
    lr: float = 0.05
    epsilon: float = 1.0
    delta: float = 1e-5
    radius: float = 1.0
    max_gradient: float = 0.01
    shrinkage: float = 1.0
    noisy_steps: int = 100
    noisy_lr: float = 0.05

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (0 < self.epsilon < math.inf and 0 < self.delta < 1):
            raise ValueError(f"epsilon is positive, delta between 0 and 1: {self}")
        if not (0 < self.radius < math.inf and 0 < self.max_gradient < math.inf and 0 < self.noisy_lr < math.inf):
            raise ValueError(f"radius, max_gradient and noisy_lr are positive: {self}")
        if not 0 <= self.shrinkage * self.noisy_lr < 1 or self.noisy_steps < 1:
            raise ValueError(f"noisy_steps is at least 1, shrinkage * noisy_lr from 0 up to 1: {self}")

    @property
    def sigma(self) -> float:
        """The standard deviation of the noise on each weight, in each step."""
        spent = absorbed(
            2 * self.radius, 1 - self.noisy_lr * self.shrinkage, 2 * self.noisy_lr * self.max_gradient, self.noisy_steps
        )
        return math.sqrt(spent / (2 * largest_rho(self.epsilon, self.delta)))

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:  # noqa: ARG002
        if any(buffer.is_floating_point() for buffer in model.buffers()):
            raise Unsupported(
                "NoisyFineTune certifies weights, and this model also holds statistics of its training data (running "
                "means of BatchNorm, or other floating-point buffers): use GroupNorm or LayerNorm."
            )
        weights, data, sigma = trainable(model), stack(retain, model), self.sigma
        source = forever(data, self.batch_size, order)
        add(weights, clipped(flat(weights).detach(), self.radius) - flat(weights).detach())
        for _ in range(self.noisy_steps):
            x, y = next(source)
            slope = clipped(gradient(self.loss(model(x), y), weights).detach(), self.max_gradient)
            place = flat(weights).detach()
            noise = sigma * noise_number(0, place.shape, order).to(place)
            add(weights, noise - self.noisy_lr * (slope + self.shrinkage * place))
        self.minimise(model, lambda: self.losses(model, data, order))


def clipped(vector: Tensor, longest: float) -> Tensor:
    """Shorten a vector to at most a length; one that is not finite to zero."""
    length = float(vector.norm())
    if not math.isfinite(length):
        return torch.zeros_like(vector)
    return vector * min(1.0, longest / max(length, 1e-300))
