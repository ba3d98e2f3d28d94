"""Fine-tune with an l1 penalty: pruned models unlearn more easily."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from unlearners._core.isolation import Examples
from unlearners._core.method import NetworkMethod
from unlearners._core.training import Training, stack


@dataclass(frozen=True, kw_only=True)
class L1Sparse(NetworkMethod, Training):
    """Minimise L_retain + gamma_t * |theta|_1 with gamma_t falling to zero.

    Source: Jia et al. 2023, "Model sparsity can simplify machine unlearning". The penalty wipes out weights that the
    retain set does not defend. gamma_t = gamma * (1 - t / (epochs - free)) in epoch t, and 0 in the last `free` epochs,
    which recover accuracy. No guarantee.

    gamma: weight of the penalty in the first epoch, at least 0; 0 is fine-tuning.
    free: how many last epochs go without the penalty.

    Defaults: gamma 5e-4, linear decay, 10 epochs of SGD with lr 0.01, momentum 0.9 and weight decay 5e-4 are the
    authors' code; batches of 128, not 256, and free 2 are ours.
    """

    epochs: int = 10
    lr: float = 0.01
    weight_decay: float = 5e-4
    gamma: float = 5e-4
    free: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.gamma >= 0 or self.free < 0:
            raise ValueError(f"gamma and free must be at least 0: {self}")

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:  # noqa: ARG002
        data = stack(retain, model)
        weights = [p for p in model.parameters() if p.requires_grad]
        penalties = iter(penalty_weights(self.gamma, self.epochs, self.free))

        def epoch() -> Iterator[Tensor]:
            gamma = next(penalties)
            for loss in self.losses(model, data, order):
                yield loss + gamma * torch.stack([w.abs().sum() for w in weights]).sum() if gamma else loss

        self.minimise(model, epoch)


def penalty_weights(gamma: float, epochs: int, free: int) -> list[float]:
    """List gamma_t by epoch: linear towards zero, zero in the last `free` ones."""
    decaying = epochs - free
    return [gamma * (1 - t / decaying) if t < decaying else 0.0 for t in range(epochs)]
