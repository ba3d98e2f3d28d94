"""Retrain the last k layers from scratch."""

from dataclasses import dataclass

from torch import Generator, nn

from unlearners._core.isolation import Examples
from unlearners._core.layers import reset, weight_layers
from unlearners.approximate.cf_k import CFk


@dataclass(frozen=True, kw_only=True)
class EUk(CFk):
    """Re-initialise the last k layers and train them on retain, the rest frozen.

    Source: EU-k in Goel et al. 2022, "Towards adversarial evaluations for inexact machine unlearning". Exact for the
    last k layers only: the frozen ones have seen the forget set. With k at least the number of layers nothing of the
    original is left, and the method is retraining.

    k: how many layers, at least 1, counted as in CFk.

    Defaults: k 1 as in CFk; 10 epochs of SGD with lr 0.1 and a cosine schedule are ours, as new layers need longer than
    fine-tuned ones.
    """

    epochs: int = 10

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:
        for group in weight_layers(model)[-self.k :]:
            for layer in group:
                reset(layer, "EUk")
        super().change(model, retain, forget, order)
