"""Teach a student that disobeys its teacher on the forget set only."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from torch import Generator, Tensor, nn

from unlearners._core.distillation import divergence, frozen_copy
from unlearners._core.forgetting import ForgetTraining
from unlearners._core.isolation import Examples, for_any_batch
from unlearners._core.method import NetworkMethod
from unlearners._core.training import batches, stack


@dataclass(frozen=True, kw_only=True)
class SCRUB(NetworkMethod, ForgetTraining):
    """Raise KL(original || student) on forget, then lower it on retain, in turns.

    On retain it is alpha * KL + gamma * cross-entropy (Kurmanji, Triantafillou, Hayes and Triantafillou 2023, "Towards
    unbounded machine unlearning"). The first `forget_epochs` epochs start with a pass over the forget set; the others
    are repair only. The student is in train mode and the teacher is not: where neither BatchNorm nor dropout makes a
    difference between them the divergence has no gradient at first, and forgetting starts in the second epoch. The
    divergence is unbounded: training stops when it diverges. No guarantee.

    alpha, gamma: weights of distillation and of cross-entropy on the retain set.
    temperature: of the divergence, which carries its square.
    forget_epochs, forget_batch_size: of the forget passes; batch_size is the retain set's.
    decay_epochs, decay_rate: after each of these epochs, counted from 1, the learning rate is multiplied by the rate.

    Defaults: the authors' small-scale notebook: 10 epochs, 3 of them with a forget pass, alpha 0.5, gamma 1,
    temperature 2, Adam with lr 5e-4, a tenth of it after epochs 5, 8 and 9, and weight decay 0.1, forget batches of 64
    and retain batches of 32. At large scale they take 3 epochs of SGD, 2 of them with a forget pass, alpha 0.001, gamma
    0.99, temperature 4 and weight decay 5e-4. 0.1 is for their network without BatchNorm.
    """

    epochs: int = 10
    lr: float = 5e-4
    weight_decay: float = 0.1
    batch_size: int = 32
    optimizer: Literal["sgd", "adam"] = "adam"
    alpha: float = 0.5
    gamma: float = 1.0
    temperature: float = 2.0
    forget_epochs: int = 3
    forget_batch_size: int = 64
    decay_epochs: tuple[int, ...] = (5, 8, 9)
    decay_rate: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.alpha >= 0 and self.gamma >= 0 and self.temperature > 0):
            raise ValueError(f"alpha and gamma must be at least 0, temperature positive: {self}")
        if self.forget_epochs < 0 or self.forget_batch_size < 1:
            raise ValueError(f"forget_epochs must be at least 0, forget_batch_size at least 1: {self}")
        if not 0 <= self.decay_rate <= 1:
            raise ValueError(f"decay_rate lies between 0 and 1: {self}")

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:
        self.distil(model, retain, forget, order, after_epoch=lambda: None)

    def distil(
        self, model: nn.Module, retain: Examples, forget: Examples, order: Generator, *, after_epoch: Callable[[], None]
    ) -> None:
        """Alternate the passes; `after_epoch` may look at the model."""
        teacher, student, forward = frozen_copy(model), self.on_forget(model), for_any_batch(model)
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

    def rate(self, epoch: int) -> float:
        """Return the learning rate of an epoch, counted from zero."""
        return super().rate(epoch) * self.decay_rate ** sum(epoch >= last for last in self.decay_epochs)
