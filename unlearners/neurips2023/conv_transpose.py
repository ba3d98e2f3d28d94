"""Transpose the kernels of the convolutions, then repair (CT)."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Generator, nn

from unlearners._core.curvature import trainable
from unlearners._core.isolation import Examples, Unsupported
from unlearners._core.method import NetworkMethod
from unlearners._core.training import Training, stack
from unlearners.neurips2023.shared import CONVOLUTIONS, kernels_of


@dataclass(frozen=True, kw_only=True)
class ConvolutionTranspose(NetworkMethod, Training):
    """Swap height and width of convolution kernels, then fine-tune on retain.

    Source: toshi_k and marvelworld, NeurIPS-2023 challenge: Triantafillou et al. 2024; "CT" in Cadet et al. 2024, "Deep
    unlearn". The transposed network sees what the original sees in a transposed image: features survive, memories of
    the forget set do not fit. The forget set is never read. Only square kernels are transposed, and frozen ones are
    not; a symmetric kernel does not change, so a network without a square kernel of at least 2x2 is refused. No
    guarantee.

    Defaults: the authors' for the challenge's ResNet-18, where this was one half of an ensemble; the other half,
    fine-tuning with pseudo-labels, is not here.
    """

    epochs: int = 3
    lr: float = 1e-3
    weight_decay: float = 5e-4
    batch_size: int = 64
    schedule: Literal["constant", "cosine", "triangle"] = "cosine"

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:  # noqa: ARG002
        transpose_kernels(model)
        data = stack(retain, model)
        self.minimise(model, lambda: self.losses(model, data, order))


@torch.no_grad()
def transpose_kernels(model: nn.Module) -> None:
    """Swap height and width of every square kernel that is not frozen, in place."""
    trainable(model)  # raises if everything is frozen
    kernels = [w for w in kernels_of(model, CONVOLUTIONS) if w.ndim > 3 and w.shape[-1] == w.shape[-2] > 1]
    free = [w for w in kernels if w.requires_grad]
    if not free:
        raise Unsupported(
            "ConvolutionTranspose needs convolutions with square kernels of at least 2x2; this model has "
            f"{'only frozen ones' if kernels else 'none'}. Seif erases by noise and works on any network."
        )
    for kernel in free:
        kernel.copy_(kernel.transpose(-1, -2).clone())
