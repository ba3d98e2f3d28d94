"""Teach a student that disobeys its teacher on the forget set only."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from torch import Generator, Tensor, nn

from unlearners._core.distillation import divergence, frozen_copy
from unlearners._core.isolation import Examples, for_any_batch, with_running_statistics
from unlearners._core.method import NetworkMethod
from unlearners._core.training import Training, batches, stack


@dataclass(frozen=True, kw_only=True)
class SCRUB(NetworkMethod, Training):
    """Raise KL(original || student) on forget, then lower it on retain, in turns.

    On retain it is alpha * KL + gamma * cross-entropy (Kurmanji, Triantafillou, Hayes and Triantafillou 2023, "Towards
    unbounded machine unlearning"). The first `forget_epochs` epochs start with a pass over the forget set; the others
    are repair only. At the first step student and teacher agree and the divergence has no gradient, so forgetting
    starts in the second epoch, or with dropout. The divergence is unbounded: training stops when it diverges. No
    guarantee.

    alpha, gamma: weights of distillation and of cross-entropy on the retain set.
    temperature: of the divergence, which carries its square.
    forget_epochs, forget_batch_size: of the forget passes.

    Defaults: the authors' small-scale CIFAR notebook: 10 epochs, 3 of them with a forget pass, alpha 0.5, gamma 1,
    temperature 2, Adam with lr 5e-4 and weight decay 0.1, batches of 128 and 32. Their stepwise decay of the learning
    rate is left out.
    """

    epochs: int = 10
    lr: float = 5e-4
    weight_decay: float = 0.1
    optimizer: Literal["sgd", "adam"] = "adam"
    alpha: float = 0.5
    gamma: float = 1.0
    temperature: float = 2.0
    forget_epochs: int = 3
    forget_batch_size: int = 32

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.alpha >= 0 and self.gamma >= 0 and self.temperature > 0):
            raise ValueError(f"alpha and gamma must be at least 0, temperature positive: {self}")
        if self.forget_epochs < 0 or self.forget_batch_size < 1:
            raise ValueError(f"forget_epochs must be at least 0, forget_batch_size at least 1: {self}")

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:
        self.distil(model, retain, forget, order, after_epoch=lambda: None)

    def distil(
        self, model: nn.Module, retain: Examples, forget: Examples, order: Generator, *, after_epoch: Callable[[], None]
    ) -> None:
        """Alternate the passes; `after_epoch` may look at the model."""
        teacher, student, forward = frozen_copy(model), with_running_statistics(model), for_any_batch(model)
        kept, gone = stack(retain, model), stack(forget, model)
        forget_passes = iter([True] * self.forget_epochs)

        def epoch() -> Iterator[Tensor]:
            if next(forget_passes, False):
                for x, _ in batches(gone, self.forget_batch_size, order):
                    yield -divergence(teacher(x), student(x), self.temperature)
            for x, y in batches(kept, self.batch_size, order):
                logits = forward(x)
                loss = self.gamma * self.loss(logits, y)
                yield loss + self.alpha * divergence(teacher(x), logits, self.temperature) if self.alpha else loss
            after_epoch()

        self.minimise(model, epoch)
