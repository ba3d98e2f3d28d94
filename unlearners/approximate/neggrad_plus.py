"""Descend on the retain set and ascend on the forget set, in one step."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle

import torch
from torch import Generator, Tensor, nn

from unlearners._core.distillation import answers, frozen_copy
from unlearners._core.forgetting import ForgetTraining
from unlearners._core.isolation import Examples
from unlearners._core.method import NetworkMethod
from unlearners._core.training import Data, batches, stack


@dataclass(frozen=True, kw_only=True)
class NegGradPlus(NetworkMethod, ForgetTraining):
    """Minimise alpha * L_retain - (1 - alpha) * L_forget, cycling forget batches.

    Source: Kurmanji et al. 2023, SCRUB. To L_retain belongs (anchor / 2) * |theta - theta_original|^2. An epoch is one
    pass over the retain set; both losses are means over a batch, so that a forget example weighs (1 - alpha) / alpha *
    n_retain / n_forget of a retained one. Each epoch shuffles the forget set once and goes through the same batches
    again and again, from the first, as the authors' loop does: the first ones come more often. The ascended loss has no
    bound. Where it diverges, or a model comes out that gives answers which are not finite, the last epoch's weights
    that give finite answers on both sets are returned. No guarantee.

    alpha: the weight of the retain set; 1 is fine-tuning.
    anchor: weight of the pull to the original, at least 0.
    forget_batch_size: of the forget set; batch_size is the retain set's.
    batch_statistics: "authors" is train mode, as in their large-scale code; "running" is eval mode for both sets, as in
        their small-scale notebook. (The retain set by its own statistics and the forget set by the running ones would
        be two functions, of which one can be raised without the other.)

    Defaults: the authors' small-scale notebook: alpha 0.95, anchor 0.1, 10 epochs of SGD with lr 0.01, no momentum and
    no weight decay, batches of 128 and 64. At large scale they take alpha 0.99 or more, no anchor, and train mode.
    """

    epochs: int = 10
    lr: float = 0.01
    momentum: float = 0.0
    alpha: float = 0.95
    anchor: float = 0.1
    forget_batch_size: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.alpha <= 1:
            raise ValueError(f"alpha weighs two losses and lies between 0 and 1: {self}")
        if not 0 <= self.anchor < math.inf or self.forget_batch_size < 1:
            raise ValueError(f"anchor is finite and at least 0, forget_batch_size at least 1: {self}")

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:
        kept, gone = stack(retain, model), stack(forget, model)
        forward = self.on_forget(model)
        weights = [p for p in model.parameters() if p.requires_grad]
        original = [p.detach().clone() for p in weights]
        after: list[list[Tensor]] = []

        def pull() -> Tensor:
            squares = [(w - start).square().sum() for w, start in zip(weights, original, strict=True)]
            return self.anchor / 2 * torch.stack(squares).sum()

        def epoch() -> Iterator[Tensor]:
            after.append(_state(model))
            forget_batches = cycle(batches(gone, self.forget_batch_size, order))
            for x, y in batches(kept, self.batch_size, order):
                loss = self.loss(forward(x), y)
                if self.anchor:
                    loss = loss + pull()
                if self.alpha < 1:  # zero times an infinite loss is not zero
                    away, label = next(forget_batches)
                    loss = self.alpha * loss - (1 - self.alpha) * self.loss(forward(away), label)
                yield loss

        self.minimise(model, epoch)
        while after and not (_sound(model, kept) and _sound(model, gone)):
            _restore(model, after.pop())


def _state(model: nn.Module) -> list[Tensor]:
    return [t.detach().clone() for t in (*model.parameters(), *model.buffers())]


@torch.no_grad()
def _restore(model: nn.Module, state: list[Tensor]) -> None:
    for tensor, value in zip((*model.parameters(), *model.buffers()), state, strict=True):
        tensor.copy_(value)


def _sound(model: nn.Module, data: Data) -> bool:
    """Tell whether the model, as it will be used, gives finite logits."""
    return bool(answers(frozen_copy(model), data[0]).isfinite().all())
