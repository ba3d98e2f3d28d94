"""Relabel the forget set at random."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Generator, Tensor, nn

from unlearners._core.isolation import Examples
from unlearners._core.layers import count_classes
from unlearners._core.method import NetworkMethod
from unlearners._core.training import Data, Training, stack


@dataclass(frozen=True, kw_only=True)
class RandomLabels(NetworkMethod, Training):
    """Train on the retain set, and on the forget set under wrong labels.

    Source: Golatkar et al. 2020; Graves et al. 2021. Each forget example gets one label, drawn once and uniformly from
    the classes that are not its own. With two classes that is a label flip, which over-forgets. Batches mix both sets,
    but only retained examples update BatchNorm's running statistics, as forget data must not be written into buffers.

    Defaults: 3 epochs of Adam with lr 1e-4 and batches of 128 are the "amnesiac" baseline of Chundawat et al. 2023
    (bad teacher) and of Foster et al. 2024 (SSD), which is this variant of Graves et al.
    """

    epochs: int = 3
    lr: float = 1e-4
    optimizer: Literal["sgd", "adam"] = "adam"

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:
        kept, gone = relabelled(model, retain, forget, order)
        self.minimise(model, lambda: self.losses_together(model, kept, gone, order))


def relabelled(model: nn.Module, retain: Examples, forget: Examples, generator: Generator) -> tuple[Data, Data]:
    """Stack the retain set, and the forget set under wrong labels."""
    gone, true = stack(forget, model)
    return stack(retain, model), (gone, wrong_labels(true, max(2, count_classes(model, gone)), generator))


def wrong_labels(y: Tensor, classes: int, generator: Generator) -> Tensor:
    """Draw uniformly from the other classes: a random, non-zero step in a circle."""
    return (y + torch.randint(1, classes, y.shape, generator=generator).to(y.device)) % classes
