"""Fine-tune with weights drawn back to the original's."""

from dataclasses import dataclass

import torch
from torch import Generator, nn

from unlearners._core.isolation import Examples
from unlearners._core.training import stack
from unlearners.approximate.fine_tune import FineTune


@dataclass(frozen=True, kw_only=True)
class L2AnchoredFineTune(FineTune):
    """Minimise L_retain + (anchor / 2) * |theta - theta_original|^2.

    Source: L2-SP, Li, Grandvalet and Davoine 2018. Fine-tuning that keeps what the original knew, of the forget set
    too: on a quadratic loss with Hessian H the result is (H + anchor I)^-1 (H theta_retrained + anchor theta_original).
    No guarantee, and with a large anchor the original comes back: a method to show that utility alone proves nothing.
    Where few retained examples are left and fine-tuning learns their labels' noise by heart, an anchor gives back the
    test accuracy that it costs, and some of the forgotten class with it.

    The penalty is applied by its proximal step after each gradient step (Parikh and Boyd 2014, section 4.2), which has
    the same minimiser and stays stable for any anchor, infinity included.

    anchor: weight of the penalty, at least 0; 0 is fine-tuning.

    Defaults: the training is FineTune's; anchor 0.1 is ours.
    """

    anchor: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.anchor >= 0:
            raise ValueError(f"anchor is a weight and must be at least 0: {self}")
        if self.optimizer != "sgd":
            raise ValueError(f'the proximal step of the anchor belongs to optimizer "sgd": {self}')

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:  # noqa: ARG002
        data = stack(retain, model)
        weights = [p for p in model.parameters() if p.requires_grad]
        original = [p.detach().clone() for p in weights]

        @torch.no_grad()
        def draw_back(lr: float) -> None:
            # A gradient's steps add up to lr / (1 - momentum), and the pull must be as strong.
            share = lr / (1 - self.momentum) * self.anchor if lr else 0.0
            for weight, start in zip(weights, original, strict=True):
                weight.copy_(start + (weight - start) / (1 + share))

        self.minimise(model, lambda: self.losses(model, data, order), after_step=draw_back if self.anchor else None)
