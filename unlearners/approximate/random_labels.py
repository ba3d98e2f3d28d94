"""Relabel the forget set at random."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Generator, Tensor, nn

from unlearners._core.forgetting import ForgetTraining
from unlearners._core.isolation import Examples
from unlearners._core.layers import count_classes
from unlearners._core.method import NetworkMethod
from unlearners._core.training import Data, stack


@dataclass(frozen=True, kw_only=True)
class RandomLabels(NetworkMethod, ForgetTraining):
    """Train on the retain set, and on the forget set under random labels.

    Source: Golatkar et al. 2020; Graves et al. 2021. By default each forget example gets one label, drawn once and
    uniformly from the classes that are not its own, and batches mix both sets. With two classes that is a label flip,
    which over-forgets. SalUn's authors draw from all classes, anew in each epoch, and pass over the forget set before
    the retain set: the options below, all three together in `SalUn`. No guarantee.

    fresh_labels: draw the labels anew in each epoch.
    true_label: draw from all classes, an example's own included.
    forget_first: pass over the forget set and then over the retain set, instead of mixing them.
    batch_statistics: as in every method; where batches mix both sets, "running" normalises them by their own
        statistics, and takes only the retained examples into the running ones.

    Defaults: 3 epochs of Adam with lr 1e-4 and batches of 128 are the "amnesiac" baseline of Chundawat et al. 2023
    (bad teacher) and of Foster et al. 2024 (SSD), which is this variant of Graves et al., one wrong label each.
    """

    epochs: int = 3
    lr: float = 1e-4
    optimizer: Literal["sgd", "adam"] = "adam"
    fresh_labels: bool = False
    true_label: bool = False
    forget_first: bool = False

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:
        self.minimise(model, self.passes(model, retain, forget, order))

    def passes(
        self, model: nn.Module, retain: Examples, forget: Examples, order: Generator
    ) -> Callable[[], Iterator[Tensor]]:
        """Make the epochs: losses on both sets, the forget set under drawn labels."""
        kept, (x, true) = stack(retain, model), stack(forget, model)
        classes = max(2, count_classes(model, x))

        def draw() -> Data:
            return x, (any_labels if self.true_label else wrong_labels)(true, classes, order)

        once = draw()

        def epoch() -> Iterator[Tensor]:
            gone = draw() if self.fresh_labels else once
            if self.forget_first:
                yield from self.losses(self.on_forget(model), gone, order)
                yield from self.losses(model, kept, order)
            elif self.batch_statistics == "running":
                yield from self.losses_together(model, kept, gone, order)
            else:
                yield from self.losses(model, (torch.cat([kept[0], x]), torch.cat([kept[1], gone[1]])), order)

        return epoch


def any_labels(y: Tensor, classes: int, generator: Generator) -> Tensor:
    """Draw uniformly from all classes."""
    return torch.randint(classes, y.shape, generator=generator).to(y.device)


def wrong_labels(y: Tensor, classes: int, generator: Generator) -> Tensor:
    """Draw uniformly from the other classes: a random, non-zero step in a circle."""
    return (y + torch.randint(1, classes, y.shape, generator=generator).to(y.device)) % classes
