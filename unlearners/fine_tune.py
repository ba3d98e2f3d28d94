"""Fine-tuning on the retain set, in the hope that the rest fades."""

from dataclasses import dataclass
from typing import Any, Literal

from torch import nn

from unlearners.isolation import Examples, working_copy
from unlearners.training import Training, losses, seeded, stack


@dataclass(frozen=True, kw_only=True)
class FineTune(Training):
    """Continue training on the retain set alone (catastrophic forgetting; Golatkar et al. 2020, "Eternal Sunshine").

    The forget set is never read, only its length. No guarantee: a well-fitted model has little reason to move.

    Defaults: the fine-tuning baseline of the NeurIPS-2023 unlearning starting kit (Triantafillou et al. 2023), which
    is 5 epochs of SGD with lr 0.1, momentum 0.9, weight decay 5e-4, batches of 128 and a cosine schedule.
    """

    epochs: int = 5
    lr: float = 0.1
    weight_decay: float = 5e-4
    schedule: Literal["constant", "cosine"] = "cosine"

    def __call__(self, model: Any, retain: Examples, forget: Examples, *, seed: int) -> nn.Module:
        with working_copy(model, seed, "FineTune") as copy:
            if len(forget):
                data, order = stack(retain, copy), seeded(seed)
                self.minimise(copy, lambda: losses(copy, data, self.batch_size, order))
            return copy
