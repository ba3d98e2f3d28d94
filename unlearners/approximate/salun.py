"""Train on random labels, but only the weights salient to the forget set."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Generator, Tensor, nn

from unlearners._core.curvature import total_gradient, trainable, unflatten
from unlearners._core.isolation import Examples
from unlearners._core.training import stack
from unlearners.approximate.random_labels import RandomLabels


@dataclass(frozen=True, kw_only=True)
class SalUn(RandomLabels):
    """Relabel at random, and change only the weights salient to the forget set.

    Those are the ones with the largest absolute gradient of the forget loss (Fan et al. 2024, "SalUn: empowering
    machine unlearning via gradient-based weight saliency"). All other weights are bit-identical to the original's: they
    are put back after every step, momentum and weight decay included. The gradient is taken at the original in eval
    mode. No guarantee.

    share: share of all trainable weights that may change, between 0 and 1; 1 is random labelling.
    fresh_labels, true_label, forget_first, batch_statistics: as in `RandomLabels`.

    Defaults: share 0.5 and 10 epochs of SGD with lr 0.013, weight decay 5e-4 and batches of 256 are the authors' for
    10% of CIFAR-10. As in their code for it, labels are drawn from all classes, the true one included, anew in each
    epoch, in a pass over the forget set before that over the retain set; for CIFAR-100 it mixes both sets.
    """

    epochs: int = 10
    lr: float = 0.013
    weight_decay: float = 5e-4
    batch_size: int = 256
    optimizer: Literal["sgd", "adam"] = "sgd"
    share: float = 0.5
    fresh_labels: bool = True
    true_label: bool = True
    forget_first: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.share <= 1:
            raise ValueError(f"share is a share of the weights, between 0 and 1: {self}")

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:
        weights = trainable(model)
        masks = self.salient(model, forget)
        original = [w.detach().clone() for w in weights]

        @torch.no_grad()
        def restore(_: float) -> None:
            for weight, mask, start in zip(weights, masks, original, strict=True):
                weight.copy_(torch.where(mask, weight, start))

        self.minimise(model, self.passes(model, retain, forget, order), after_step=restore)

    def salient(self, model: nn.Module, forget: Examples) -> list[Tensor]:
        """Mark the weights with the largest absolute forget gradient."""
        modes = [(module, module.training) for module in model.modules()]
        saliency = total_gradient(model.eval(), stack(forget, model), self.loss).abs()
        for module, mode in modes:
            module.training = mode
        chosen = torch.zeros_like(saliency, dtype=torch.bool)
        chosen[saliency.argsort(descending=True, stable=True)[: round(self.share * len(saliency))]] = True
        return unflatten(chosen, trainable(model))
