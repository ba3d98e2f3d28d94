"""Gradient ascent on the forget set."""

from dataclasses import dataclass
from typing import Any

from torch import nn

from unlearners.isolation import Examples, with_running_statistics, working_copy
from unlearners.training import Training, losses, seeded, stack


@dataclass(frozen=True, kw_only=True)
class GradientAscent(Training):
    """Maximise the cross-entropy on the forget set (NegGrad: Golatkar et al. 2020; Thudi et al. 2022, "Unrolling SGD").

    The retain set is never read. Cross-entropy has no maximum, so training stops as soon as it diverges and the last
    finite weights are kept. BatchNorm uses its running statistics: forget data must not be written into buffers, and
    a request may be a single example.

    Defaults: 5 epochs of SGD with lr 1e-4 and momentum 0.9 are the gradient-ascent baseline in the code of SalUn
    (Fan et al. 2024). Unlike there, no weight decay, which is not ascent; batches of 128, not 256.
    """

    epochs: int = 5
    lr: float = 1e-4

    def __call__(self, model: Any, retain: Examples, forget: Examples, *, seed: int) -> nn.Module:  # noqa: ARG002
        with working_copy(model, seed, "GradientAscent") as copy:
            if len(forget):
                data, order = stack(forget, copy), seeded(seed)
                forward = with_running_statistics(copy)
                self.minimise(copy, lambda: (-loss for loss in losses(forward, data, self.batch_size, order)))
            return copy
