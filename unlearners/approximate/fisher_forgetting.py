"""Add noise to the weights on which the retain set does not depend."""

from dataclasses import dataclass

import torch
from torch import Generator, nn

from unlearners._core.curvature import fisher_diagonal, trainable
from unlearners._core.isolation import Examples
from unlearners._core.method import NetworkMethod
from unlearners._core.training import stack


@dataclass(frozen=True, kw_only=True)
class FisherForgetting(NetworkMethod):
    """Add noise N(0, alpha / F_i) to each weight, F the Fisher diagonal on retain.

    Source: Golatkar, Achille and Soatto 2020, "Eternal Sunshine of the Spotless Net". Weights on which retained outputs
    hardly depend lose what they hold. The forget set is never read, only its length. No guarantee. F is exact: the mean
    over retained examples of the expectation, over the model's own label distribution, of the squared gradient of log
    p(y | x). It costs one gradient an example and class.

    alpha: scale of the variance, at least 0; 0 changes nothing.
    largest_inverse: 1 / F is cut here, where F vanishes.

    Defaults: alpha 1e-6 and the cut at 1e3 are from the authors' code. Its special treatment of the last layer and of
    normalisation, and its averaging over input dimensions, are left out: they are not in the paper.
    """

    alpha: float = 1e-6
    largest_inverse: float = 1e3

    def __post_init__(self) -> None:
        if not self.alpha >= 0 or not self.largest_inverse > 0:
            raise ValueError(f"alpha must be at least 0, largest_inverse positive: {self}")

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:  # noqa: ARG002
        model.eval()
        information = fisher_diagonal(model, stack(retain, model)[0])
        with torch.no_grad():
            for weight, fisher in zip(trainable(model), information, strict=True):
                deviation = (self.alpha * (1 / (fisher + 1e-8)).clamp(max=self.largest_inverse)).sqrt()
                weight.add_(
                    deviation * torch.randn(weight.shape, generator=order, dtype=weight.dtype).to(weight.device)
                )
