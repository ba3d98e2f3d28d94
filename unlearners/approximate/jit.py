"""Smooth the network around the forget set, without the retain set (JiT)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn
from torch.linalg import vector_norm

from unlearners._core.distillation import class_logits
from unlearners._core.forgetting import ForgetTraining
from unlearners._core.isolation import Examples
from unlearners._core.layers import require_continuous
from unlearners._core.method import NetworkMethod
from unlearners._core.training import batches, stack


@dataclass(frozen=True, kw_only=True)
class JiT(NetworkMethod, ForgetTraining):
    """Lower |f(x) - f(x + noise)| / |noise| around each forget example.

    Source: Foster, Fogarty, Schoepf, Oztireli and Brintrup 2024, "Zero-shot machine unlearning at scale via Lipschitz
    regularization" (just in time unlearning). The loss is the ratio, summed over a batch and averaged over `samples`
    noisy copies; noise is N(0, std^2) in each input dimension, and copies are clipped to the range of the batch.
    Neither labels nor the retain set are read. Its minimum is a network that is constant around the forget set, so that
    many steps ruin it. No guarantee.

    std, samples: of the noise.
    fixed_copies: take the copies' logits for constants, as public implementations do. That moves f(x) about towards
        f(x + noise), and does not always lower the ratio; False differentiates the ratio that the paper writes.

    Defaults: one epoch of SGD without momentum is the authors'; lr 1e-3, std 0.1, 10 copies and batches of 64 are from
    a public implementation. They tune lr and std for each task: on a small network
    1e-3 ruins it, and a few times less does nothing.
    """

    epochs: int = 1
    lr: float = 1e-3
    momentum: float = 0.0
    batch_size: int = 64
    std: float = 0.1
    samples: int = 10
    fixed_copies: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.std < math.inf or self.samples < 1:
            raise ValueError(f"std is positive and finite, samples at least 1: {self}")

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:  # noqa: ARG002
        data, forward = stack(forget, model), self.on_forget(model)
        require_continuous(data[0], "JiT")

        def epoch() -> Iterator[Tensor]:
            for x, _ in batches(data, self.batch_size, order):
                copies = [self.noisy(x, order) for _ in range(self.samples)]
                with torch.set_grad_enabled(not self.fixed_copies):
                    answers = [class_logits(forward(copy)) for copy in copies]
                logits = class_logits(forward(x))
                yield torch.stack(
                    [steepness(x, copy, logits, answer) for copy, answer in zip(copies, answers, strict=True)]
                ).mean()

        self.minimise(model, epoch)

    def noisy(self, x: Tensor, order: Generator) -> Tensor:
        """Add noise, and clip to the range of the batch."""
        noise = self.std * torch.randn(x.shape, generator=order, dtype=torch.float64).to(x)
        return (x + noise).clamp(x.min(), x.max())


def steepness(x: Tensor, copy: Tensor, logits: Tensor, answers: Tensor) -> Tensor:
    """Sum over the batch how far logits move for how far inputs do."""
    way = vector_norm((x - copy).flatten(1), dim=1).clamp_min(torch.finfo(x.dtype).tiny)
    ratios: Tensor = vector_norm(logits - answers, dim=1) / way
    return ratios.sum()
