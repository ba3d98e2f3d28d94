"""Descend on the retain set and ascend on the forget set, in one step."""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Generator, Tensor, nn

from unlearners._core.isolation import Examples, with_running_statistics
from unlearners._core.method import NetworkMethod
from unlearners._core.training import Training, forever, stack


@dataclass(frozen=True, kw_only=True)
class NegGradPlus(NetworkMethod, Training):
    """Minimise alpha * L_retain - (1 - alpha) * L_forget, cycling forget batches.

    Source: Kurmanji et al. 2023, SCRUB. An epoch is one pass over the retain set. Only retain batches update BatchNorm
    statistics, as forget data must not be written into buffers.

    alpha: the weight of the retain set; 1 is fine-tuning.

    Defaults: alpha 0.95 and 10 epochs of SGD with lr 0.01 and no weight decay are the authors' small-scale CIFAR
    notebook (they take alpha 0.99 or more at large scale); momentum 0.9 and batches of 128 are ours.
    """

    epochs: int = 10
    lr: float = 0.01
    alpha: float = 0.95

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.alpha <= 1:
            raise ValueError(f"alpha weighs two losses and lies between 0 and 1: {self}")

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:
        kept, gone = stack(retain, model), forever(stack(forget, model), self.batch_size, order)
        forward = with_running_statistics(model)

        def forget_loss() -> Tensor:
            x, y = next(gone)
            return self.loss(forward(x), y)

        def epoch() -> Iterator[Tensor]:
            for loss in self.losses(model, kept, order):
                # Zero times an infinite loss is not zero, so at alpha = 1 the forget set is not touched.
                yield loss if self.alpha == 1 else self.alpha * loss - (1 - self.alpha) * forget_loss()

        self.minimise(model, epoch)
