"""Subtract what training on the request adds to the weights."""

from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Generator, nn

from unlearners._core.isolation import Examples
from unlearners._core.language import TextMethod, check_weights


@dataclass(frozen=True, kw_only=True)
class TaskVectorNegation(TextMethod):
    """Train on the request, and go as far in the other direction.

    theta - weight (theta_trained - theta). Source: Ilharco et al. 2023, "Editing models with task arithmetic" (arXiv
    2212.04089), forgetting via negation. The retain set is never used.

    weight: how far; 0 changes nothing.

    Defaults: weight 1; 5 epochs of lr 1e-5 and batches of 32 are MUSE's.
    """

    weight: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_weights(self, weight=self.weight)

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> nn.Module:  # noqa: ARG002
        trained = deepcopy(model)
        self.learn(trained, self.encoded(forget), order)
        with torch.no_grad():
            for own, other in zip(model.parameters(), trained.parameters(), strict=True):
                own.sub_(self.weight * (other - own))
        return model
