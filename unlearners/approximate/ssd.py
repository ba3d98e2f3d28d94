"""Dampen synapses selectively."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from unlearners._core.curvature import example_gradients, mean_of, trainable
from unlearners._core.isolation import Examples
from unlearners._core.method import NetworkMethod
from unlearners._core.training import Data, loss_of, stack


@dataclass(frozen=True, kw_only=True)
class Dampening(NetworkMethod):
    """Multiply selected weights by min(1, dampening * I_all / I_forget).

    A subclass says from which ratio I_forget / I_all on a weight is selected.
    """

    dampening: float = 1.0

    def __post_init__(self) -> None:
        if not self.dampening >= 0:
            raise ValueError(f"dampening must be at least 0: {self}")

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:  # noqa: ARG002
        model.eval()
        kept, gone = stack(retain, model), stack(forget, model)
        of_kept, of_forget = self.importance(model, kept), self.importance(model, gone)
        n, k = len(kept[1]), len(gone[1])
        of_all = [(n * r + k * f) / (n + k) for r, f in zip(of_kept, of_forget, strict=True)]
        alpha = self.selection(of_forget, of_all, k / (n + k))
        with torch.no_grad():
            for weight, overall, forgotten in zip(trainable(model), of_all, of_forget, strict=True):
                # An infinite alpha times no importance is not a number, and selects nothing.
                selected = forgotten > alpha * overall
                factor = (self.dampening * overall / forgotten).clamp(max=1)
                weight.copy_(torch.where(selected, weight * factor, weight))

    def selection(self, of_forget: list[Tensor], of_all: list[Tensor], share: float) -> float:
        """Return the ratio above which weights are selected.

        of_forget, of_all: importance, shaped like each weight. share: the forget set's of all examples.
        """
        raise NotImplementedError

    def importance(self, model: nn.Module, data: Data) -> list[Tensor]:
        """Average the squared gradient over examples, shaped like each weight."""
        return mean_of(example_gradients(model, data, loss_of), lambda g: g * g)


@dataclass(frozen=True, kw_only=True)
class SSD(Dampening):
    """Shrink the weights that matter much more to the forget set than to all data.

    Source: Foster, Schoepf and Brintrup 2024, "Fast machine unlearning without retraining through selective synaptic
    dampening". Where I_forget > alpha * I_all, a weight is multiplied by min(1, dampening * I_all / I_forget); the
    others are bit-identical. I is the diagonal of the empirical Fisher information: the mean over single examples of
    the squared gradient of the loss, in eval mode. (The authors' code squares the gradient of a batch, which depends on
    its size.) No training, no guarantee.

    alpha: how many times more important a weight must be to be touched, positive; infinity is a no-op.
    dampening: the lambda of the paper, at least 0; 0 sets selected weights to zero.

    Defaults: alpha 10 and dampening 1 are the authors'.
    """

    alpha: float = 10.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.alpha > 0:
            raise ValueError(f"alpha must be positive: {self}")

    def selection(self, of_forget: list[Tensor], of_all: list[Tensor], share: float) -> float:  # noqa: ARG002
        return self.alpha
