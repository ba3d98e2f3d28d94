"""Flatten the forget set, then push it away from retain and repair, in turns."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import log_softmax, normalize

from unlearners._core.curvature import trainable
from unlearners._core.distillation import divergence
from unlearners._core.forgetting import ForgetTraining
from unlearners._core.isolation import Examples
from unlearners._core.layers import require_classes
from unlearners._core.method import NetworkMethod
from unlearners._core.training import batches, forever, stack


@dataclass(frozen=True, kw_only=True)
class Fanchuan(NetworkMethod, ForgetTraining):
    """Flatten predictions on forget, then alternate contrast and repair.

    First an epoch on the forget set towards uniform predictions, then rounds of a contrastive pass over the forget set
    and a cross-entropy epoch on the retain set (team fanchuan, NeurIPS-2023 challenge: Triantafillou et al. 2024; "FCS"
    in Cadet et al. 2024, "Deep unlearn"). The first stage minimises KL(uniform || softmax(z)), the contrastive pass
    -log softmax(z_F z_R^T / temperature), averaged over the pairs of a forget and a retain batch, so that no forget
    example resembles some retain examples more than others. Its learning rate falls along a cosine over all passes. No
    guarantee.

    epochs, lr, weight_decay, batch_size, schedule: of the rounds, that is, of the epochs on the retain set.
    uniform_lr, forget_lr, forget_lr_min: learning rates of the first stage and of the contrastive passes, at their
        start and end; both without weight decay.
    forget_batch_size: of the forget set; retain batches of a contrastive pass are of `batch_size`.
    temperature: of the similarities, positive.
    contrast: "all-pairs" as above; "other-labels", whose pairs are of retained examples with another label than the
        forget example's, in the way of supervised contrastive learning (Khosla et al. 2020): a forget example comes to
        resemble retained ones of other classes, at the cost of those of its own.
    normalised: take the cosine of logits instead of their product, as contrastive learning does; the temperature is
        then better near 0.1.

    Defaults: the team's for the challenge's ResNet-18; their retain lr is 1e-3 for every 64 examples of a batch.
    """

    epochs: int = 8
    lr: float = 4e-3
    weight_decay: float = 1e-2
    batch_size: int = 256
    uniform_lr: float = 5e-3
    forget_lr: float = 3e-4
    forget_lr_min: float = 1e-6
    forget_batch_size: int = 64
    temperature: float = 1.15
    contrast: Literal["all-pairs", "other-labels"] = "all-pairs"
    normalised: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not all(0 <= rate < math.inf for rate in (self.uniform_lr, self.forget_lr, self.forget_lr_min)):
            raise ValueError(f"uniform_lr, forget_lr and forget_lr_min must be finite and at least 0: {self}")
        if self.forget_batch_size < 1 or not 0 < self.temperature < math.inf:
            raise ValueError(f"forget_batch_size must be at least 1, temperature positive: {self}")
        if self.contrast not in ("all-pairs", "other-labels"):
            raise ValueError(f'contrast is "all-pairs" or "other-labels": {self}')

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:
        kept, gone = stack(retain, model), stack(forget, model)
        require_classes(model, kept[0], "Fanchuan")
        weights, forward = trainable(model), self.on_forget(model)
        kept_batches = forever(kept, self.batch_size, order)
        # One optimizer for all contrastive passes: a pass of few steps is too short to build up momentum anew.
        optimizer = replace(self, lr=self.forget_lr, weight_decay=0.0)._optimizer(weights)
        passes = iter(range(self.epochs))

        def flatten() -> Iterator[Tensor]:
            for x, _ in batches(gone, self.forget_batch_size, order):
                logits = forward(x)
                yield divergence(torch.zeros_like(logits), logits)

        def push_away(done: int) -> None:
            parts = list(batches(gone, self.forget_batch_size, order))
            for i, (x, y) in enumerate(parts):
                beside, labels = next(kept_batches)
                with torch.no_grad():
                    others = forward(beside)
                logits = forward(x)
                pairs = y[:, None] != labels if self.contrast == "other-labels" else None
                if self.normalised:
                    logits, others = normalize(logits), normalize(others)
                optimizer.param_groups[0]["lr"] = self.contrast_rate((done + i / len(parts)) / self.epochs)
                optimizer.zero_grad()
                contrast(logits, others, self.temperature, pairs).backward()  # type: ignore[no-untyped-call]
                optimizer.step()

        def epoch() -> Iterator[Tensor]:
            # If it diverges, the next retain loss tells.
            push_away(next(passes))
            yield from self.losses(model, kept, order)

        first = replace(self, epochs=1, lr=self.uniform_lr, weight_decay=0.0, schedule="constant")
        first.minimise(model, flatten)
        self.minimise(model, epoch)

    def contrast_rate(self, progress: float) -> float:
        """Return the contrastive passes' learning rate, at a share of them in [0, 1]."""
        cosine = (1 + math.cos(math.pi * progress)) / 2
        return self.forget_lr_min + (self.forget_lr - self.forget_lr_min) * cosine


def contrast(logits: Tensor, others: Tensor, temperature: float, pairs: Tensor | None = None) -> Tensor:
    """Average -log softmax(logits others^T / temperature) over pairs, by default all.

    pairs: which, boolean of shape (examples, others); a batch without one gives zero.
    """
    apart = -log_softmax(logits @ others.T / temperature, 1)
    return apart.mean() if pairs is None else (apart * pairs).sum() / pairs.sum().clamp_min(1)
