"""Ascend on the request and stay with the original on retained documents."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from unlearners._core.distillation import frozen_copy
from unlearners._core.isolation import Examples
from unlearners._core.language import Batch, TextMethod, check_weights, logits_of, token_divergence, token_loss


@dataclass(frozen=True, kw_only=True)
class KLMinimisation(TextMethod):
    """Minimise KL(original || model) on retain - the loss on the request.

    At each token, over the whole vocabulary. Source: TOFU (arXiv 2401.06121), section 3; Yao et al. 2023, "Large
    language model unlearning" (arXiv 2310.10683).

    retain_weight: of the divergence.

    Defaults: weight 1, 5 epochs of lr 1e-5 and batches of 32 are TOFU's.
    """

    retain_weight: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_weights(self, retain_weight=self.retain_weight)

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> nn.Module:
        original = frozen_copy(model)

        def step(gone: Batch, kept: Batch) -> Tensor:
            with torch.no_grad():
                target = logits_of(original, kept)
            divergence = token_divergence(target, logits_of(model, kept), kept)
            return self.retain_weight * divergence - token_loss(model, gone)

        self.alternate(model, self.encoded(retain), self.encoded(forget), order, step)
        return model
