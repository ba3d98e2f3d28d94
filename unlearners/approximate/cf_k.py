"""Fine-tune the last k layers, in the hope of catastrophic forgetting."""

from dataclasses import dataclass

from torch import Generator, nn

from unlearners._core.isolation import Examples
from unlearners._core.layers import keep_still, weight_layers
from unlearners._core.training import stack
from unlearners.approximate.fine_tune import FineTune


@dataclass(frozen=True, kw_only=True)
class CFk(FineTune):
    """Fine-tune the last k layers on the retain set, the rest frozen.

    Source: CF-k in Goel et al. 2022, "Towards adversarial evaluations for inexact machine unlearning". What the frozen
    layers know of the forget set stays. A layer is one with weights, together with the normalisation that follows it;
    frozen normalisation keeps its running statistics.

    k: how many layers, at least 1; a network with fewer is fine-tuned whole.

    Defaults: k 1 is the smallest of the authors' range (they count blocks of a ResNet); the training is FineTune's.
    """

    k: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.k < 1:
            raise ValueError(f"k is a number of layers, at least 1: {self}")

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:  # noqa: ARG002
        data, groups = stack(retain, model), weight_layers(model)
        keep_still(groups[: -self.k])
        last = [p for group in groups[-self.k :] for layer in group for p in layer.parameters(recurse=False)]
        self.minimise(model, lambda: self.losses(model, data, order), only=last)
