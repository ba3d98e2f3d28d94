"""Fine-tune on the retain set, in the hope that the rest fades."""

from dataclasses import dataclass
from typing import Literal

from torch import Generator, nn

from unlearners._core.isolation import Examples
from unlearners._core.method import NetworkMethod
from unlearners._core.training import Training, stack


@dataclass(frozen=True, kw_only=True)
class FineTune(NetworkMethod, Training):
    """Continue training on the retain set alone.

    Source: catastrophic forgetting, Golatkar et al. 2020, "Eternal Sunshine". The forget set is never read, only its
    length. No guarantee: a well-fitted model has little reason to move.

    Defaults: the fine-tuning baseline of the NeurIPS-2023 unlearning starting kit (Triantafillou et al. 2023), which
    is 5 epochs of SGD with lr 0.1, momentum 0.9, weight decay 5e-4, batches of 128 and a cosine schedule.
    """

    epochs: int = 5
    lr: float = 0.1
    weight_decay: float = 5e-4
    schedule: Literal["constant", "cosine"] = "cosine"

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:  # noqa: ARG002
        data = stack(retain, model)
        self.minimise(model, lambda: self.losses(model, data, order))
