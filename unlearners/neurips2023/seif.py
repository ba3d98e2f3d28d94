"""Add noise to the convolutions, then repair."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Generator, Tensor, nn

from unlearners._core.isolation import Examples
from unlearners._core.method import NetworkMethod
from unlearners._core.training import Training, stack
from unlearners.neurips2023.shared import add_noise, class_weighted, frequency_weights, main_weights


@dataclass(frozen=True, kw_only=True)
class Seif(NetworkMethod, Training):
    """Draw convolution weights from N(weight, std^2), then fine-tune on retain.

    Fine-tuning has class weights, and a little more noise comes before its last epoch (S. Achour, team Seif,
    NeurIPS-2023 challenge: Triantafillou et al. 2024; "CFW", confuse weights, in Cadet et al. 2024, "Deep unlearn").
    The forget set is never read. In a network without convolutions the noise goes on the matrices of linear and
    recurrent layers except the last. Biases and normalisation layers are spared. No guarantee.

    std, last_std: standard deviations of the first noise, and of the one before the last of two or more epochs.
    noisy: "first", the first of those layers only, or "all".
    class_weights: a positive weight for each class in the loss; by default balanced, 1 / count in the retain set.

    Defaults: the author's for the challenge's ResNet-18. His text speaks of all convolutions, his code reaches those
    that are direct children of the network, which in a ResNet is the first one. His class weights were set by hand for
    one dataset, 1 for the majority and 0.05 for all others, and scaled whole batches; balanced weights are those of
    the re-implementation by Cadet et al., here of each example.
    """

    epochs: int = 4
    lr: float = 7e-4
    weight_decay: float = 5e-4
    batch_size: int = 64
    schedule: Literal["constant", "cosine", "triangle"] = "cosine"
    std: float = 0.6
    last_std: float = 0.005
    noisy: Literal["first", "all"] = "first"
    class_weights: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (0 <= self.std < math.inf and 0 <= self.last_std < math.inf):
            raise ValueError(f"std and last_std must be finite and at least 0: {self}")
        if self.noisy not in ("first", "all"):
            raise ValueError(f'noisy is "first" or "all": {self}')
        if self.class_weights is not None and not all(0 < weight < math.inf for weight in self.class_weights):
            raise ValueError(f"class_weights must be finite and positive: {self}")

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:  # noqa: ARG002
        data = stack(retain, model)
        weights = main_weights(model, "Seif")[: 1 if self.noisy == "first" else None]
        training = replace(self, loss=class_weighted(self.loss, self.weights_of(data[1])))
        epochs_left = iter(range(self.epochs, 0, -1))

        def epoch() -> Iterator[Tensor]:
            if next(epochs_left) == 1 < self.epochs:
                add_noise(weights, self.last_std)
            return training.losses(model, data, order)

        add_noise(weights, self.std)
        training.minimise(model, epoch)

    def weights_of(self, y: Tensor) -> Tensor:
        """Return the weight of each class."""
        if self.class_weights is None:
            return frequency_weights(y, 1.0)
        if len(self.class_weights) <= int(y.max()):
            raise ValueError(
                f"class_weights has {len(self.class_weights)} weights, and there is a label {int(y.max())}."
            )
        return torch.tensor(self.class_weights, dtype=torch.float64)
