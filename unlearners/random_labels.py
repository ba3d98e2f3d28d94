"""Random relabelling of the forget set."""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from unlearners.isolation import Examples, working_copy
from unlearners.training import Training, losses, seeded, stack


@dataclass(frozen=True, kw_only=True)
class RandomLabels(Training):
    """Train on the retain set and on the forget set under wrong labels (Golatkar et al. 2020; Graves et al. 2021).

    Each forget example gets one label, drawn once and uniformly from the classes that are not its own. With two
    classes that is a label flip, which over-forgets.

    Defaults: 3 epochs of Adam with lr 1e-4 and batches of 128 are the "amnesiac" baseline of Chundawat et al. 2023
    (bad teacher) and of Foster et al. 2024 (SSD), which is this variant of Graves et al.
    """

    epochs: int = 3
    lr: float = 1e-4
    optimizer: Literal["sgd", "adam"] = "adam"

    def __call__(self, model: Any, retain: Examples, forget: Examples, *, seed: int) -> nn.Module:
        with working_copy(model, seed, "RandomLabels") as copy:
            if len(forget):
                order = seeded(seed)
                (x, y), (gone, true) = stack(retain, copy), stack(forget, copy)
                wrong = wrong_labels(true, _classes(copy, gone), order)
                data = torch.cat([x, gone]), torch.cat([y, wrong])
                self.minimise(copy, lambda: losses(copy, data, self.batch_size, order))
            return copy


def wrong_labels(y: Tensor, classes: int, generator: torch.Generator) -> Tensor:
    """A uniform draw from the other classes: a random, non-zero step around the circle of labels."""
    return (y + torch.randint(1, classes, y.shape, generator=generator).to(y.device)) % classes


def _classes(model: nn.Module, x: Tensor) -> int:
    # A throw-away copy: the probe must not leave a mark in the model's buffers or modes.
    with torch.no_grad():
        logits: Tensor = deepcopy(model).eval()(x[:1])
    return max(2, logits.shape[-1])
