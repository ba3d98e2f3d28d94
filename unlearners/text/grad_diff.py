"""Ascend on the request and descend on retained documents."""

from dataclasses import dataclass

from torch import Generator, Tensor, nn

from unlearners._core.isolation import Examples
from unlearners._core.language import Batch, TextMethod, check_weights, token_loss


@dataclass(frozen=True, kw_only=True)
class GradDiff(TextMethod):
    """Minimise retain_weight * L_retain - forget_weight * L_forget.

    Source: Liu, Liu and Stone 2022, "Continual learning and private unlearning" (arXiv 2203.12817); gradient difference
    in TOFU (arXiv 2401.06121).

    Defaults: both weights 1, 5 epochs of lr 1e-5 and batches of 32 are TOFU's.
    """

    forget_weight: float = 1.0
    retain_weight: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_weights(self, forget_weight=self.forget_weight, retain_weight=self.retain_weight)

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> nn.Module:
        def step(gone: Batch, kept: Batch) -> Tensor:
            return self.retain_weight * token_loss(model, kept) - self.forget_weight * token_loss(model, gone)

        self.alternate(model, self.encoded(retain), self.encoded(forget), order, step)
        return model
