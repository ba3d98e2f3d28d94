"""Distil from the original, smoothed on the forget set (LoTUS)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import one_hot

from unlearners._core.distillation import answers, class_logits, frozen_copy, log_probabilities
from unlearners._core.examples import example_digests
from unlearners._core.forgetting import ForgetTraining
from unlearners._core.isolation import Examples
from unlearners._core.method import NetworkMethod
from unlearners._core.training import Data, batches, stack


@dataclass(frozen=True, kw_only=True)
class LoTUS(NetworkMethod, ForgetTraining):
    """Distil smoothed answers on the forget set, and plain ones on some of retain.

    Source: Spartalis, Semertzidis, Gavves and Daras 2025, "LoTUS: large-scale machine unlearning with a taste of
    uncertainty". Targets are Gumbel-softmax draws of the original's logits z: on the forget set softmax((z + G) / tau)
    with tau = exp(alpha * (accuracy of the student on the forget set - accuracy of the original on unseen data)), anew
    in each epoch, on retained examples the class of the largest z + G. When the student is worse on the forget set than
    the original on unseen data, by one point, it stops. Batches mix both sets. No guarantee.

    alpha: how fast the temperature rises.
    retain_share: share of the retain set that is distilled, drawn by the seed.
    validation: (x, y) examples that no model was trained on, for the accuracy on unseen data; they must not be the
        controls of an audit. None takes that accuracy to be 0, as the authors do to forget whole classes.

    Errors: ValueError if validation is empty, or holds a trained example.

    Defaults: retain_share 0.3, alpha 1, lr 1e-4, weight decay 5e-4 and batches of 128 are the authors', as are 10
    epochs for a ResNet-18; their AdamW is Adam here. On a network that is sure of its training set temperatures near 1
    leave targets where they are, and a larger alpha and lr are needed.
    """

    epochs: int = 10
    lr: float = 1e-4
    weight_decay: float = 5e-4
    optimizer: Literal["sgd", "adam"] = "adam"
    alpha: float = 1.0
    retain_share: float = 0.3
    validation: Examples | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.alpha < math.inf or not 0 < self.retain_share <= 1:
            raise ValueError(f"alpha is finite and at least 0, retain_share lies in (0, 1]: {self}")
        if self.validation is not None and len(self.validation) == 0:
            raise ValueError("validation must hold examples that no model was trained on; it is empty.")

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:
        kept, gone, teacher = stack(retain, model), stack(forget, model), frozen_copy(model)
        unseen = self.unseen_accuracy(teacher, kept, gone)
        share = max(1, round(self.retain_share * len(kept[1])))
        chosen = torch.randperm(len(kept[1]), generator=order)[:share].to(kept[1].device)
        x = torch.cat([kept[0][chosen], gone[0]])
        logits, forward = class_logits(answers(teacher, x)), self.on_forget(model)
        numbers = torch.arange(len(x), device=x.device)

        def epoch() -> Iterator[Tensor]:
            ahead = accuracy(frozen_copy(model), gone) - unseen
            if ahead <= -0.01:
                return
            temperature = math.exp(self.alpha * ahead)
            for part, _ in batches((numbers, numbers), self.batch_size, order):
                noisy = logits[part] + gumbel(logits[part], order)
                soft, hard = torch.softmax(noisy / temperature, 1), one_hot(noisy.argmax(1), noisy.shape[1]).to(noisy)
                wanted = torch.where((part >= share)[:, None], soft, hard)
                yield -(wanted * log_probabilities(forward(x[part]))).sum(1).mean()

        self.minimise(model, epoch)

    def unseen_accuracy(self, model: nn.Module, kept: Data, gone: Data) -> float:
        """Return the original's accuracy on unseen data, 0 where there is none."""
        if self.validation is None:
            return 0.0
        unseen = stack(self.validation, model)
        if example_digests(unseen) & (example_digests(kept) | example_digests(gone)):
            raise ValueError("validation holds examples of the retain or forget set: LoTUS needs unseen ones.")
        return accuracy(model, unseen)


def accuracy(model: nn.Module, data: Data) -> float:
    """Return the share of examples that are classified as labelled."""
    return float((class_logits(answers(model, data[0])).argmax(1) == data[1]).double().mean())


def gumbel(like: Tensor, order: Generator) -> Tensor:
    """Draw standard Gumbel numbers, -log(-log(u)), of a tensor's shape."""
    u = torch.rand(like.shape, generator=order, dtype=torch.float64).clamp_min(1e-300)
    return -(-u.log()).clamp_min(1e-300).log().to(like)
