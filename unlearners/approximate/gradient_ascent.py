"""Ascend the loss on the forget set."""

from dataclasses import dataclass

from torch import Generator, nn

from unlearners._core.isolation import Examples, with_running_statistics
from unlearners._core.method import NetworkMethod
from unlearners._core.training import Training, stack


@dataclass(frozen=True, kw_only=True)
class GradientAscent(NetworkMethod, Training):
    """Maximise the cross-entropy on the forget set (NegGrad).

    Source: Golatkar et al. 2020; Thudi et al. 2022, "Unrolling SGD". The retain set is never read. Cross-entropy has no
    maximum, so training stops as soon as it diverges and the last finite weights are kept. BatchNorm uses its running
    statistics: forget data must not be written into buffers, and a request may be a single example.

    Defaults: 5 epochs of SGD with lr 1e-4 and momentum 0.9 are the gradient-ascent baseline in the code of SalUn
    (Fan et al. 2024). Unlike there, no weight decay, which is not ascent; batches of 128, not 256.
    """

    epochs: int = 5
    lr: float = 1e-4

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:  # noqa: ARG002
        data, forward = stack(forget, model), with_running_statistics(model)
        self.minimise(model, lambda: (-loss for loss in self.losses(forward, data, order)))
