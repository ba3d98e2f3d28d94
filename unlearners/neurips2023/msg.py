"""Re-initialise the weights on which retain and forget agree, and repair (MSG)."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Generator, Tensor, nn

from unlearners._core.forgetting import ForgetTraining
from unlearners._core.isolation import Examples
from unlearners._core.method import NetworkMethod
from unlearners._core.training import Data, Loss, chunks, stack
from unlearners.neurips2023.shared import main_weights


@dataclass(frozen=True, kw_only=True)
class MaskedSmallGradients(NetworkMethod, ForgetTraining):
    """Re-initialise weights with small |grad(L_retain - L_forget)|, then repair.

    Repair is fine-tuning on the retain set, with the gradients of the kept weights scaled down (Kookmin team,
    NeurIPS-2023 challenge: Triantafillou et al. 2024; "MSG" in Cadet et al. 2024, "Deep unlearn"). A small gradient
    means that both sets pull the weight alike, so retraining would not make it forget. L_retain is taken over as many
    random retain examples as there are to forget. Candidates are the kernels of convolutions, the share being of each
    kernel; in a network without convolutions, the matrices of linear and recurrent layers except the last, which the
    team left alone too. All other parameters train as usual. No guarantee.

    share: share of the candidates that is re-initialised (He normal, fan-out), between 0 and 1.
    kept_scale: factor on the gradients of the other candidates, at least 0; weight decay is not scaled.

    batch_statistics: by which BatchNorm normalises for the gradients, of both sets; batches are of `batch_size`.

    Defaults: the team's for the challenge's ResNet-18. Unlike there, gradients are means over examples rather than
    sums over batches, and biases of convolutions stay.
    """

    epochs: int = 5
    lr: float = 1e-3
    weight_decay: float = 5e-4
    batch_size: int = 64
    schedule: Literal["constant", "cosine", "triangle"] = "triangle"
    share: float = 0.3
    kept_scale: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (0 <= self.share <= 1 and self.kept_scale >= 0):
            raise ValueError(f"share lies between 0 and 1, kept_scale is at least 0: {self}")

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:
        weights = main_weights(model, "MaskedSmallGradients")
        (x, y), gone = stack(retain, model), stack(forget, model)
        sample = torch.randperm(len(y), generator=order)[: len(gone[1])].to(y.device)
        forward = self.on_forget(model)
        pull = mean_gradient(forward, (x[sample], y[sample]), self.loss, weights, self.batch_size)
        push = mean_gradient(forward, gone, self.loss, weights, self.batch_size)
        masks = [smallest((a - b).abs(), self.share) for a, b in zip(pull, push, strict=True)]
        with torch.no_grad():
            for weight, mask in zip(weights, masks, strict=True):
                fresh = nn.init.kaiming_normal_(torch.empty_like(weight), mode="fan_out", nonlinearity="relu")
                weight.copy_(torch.where(mask, fresh, weight))
        with ExitStack() as hooks:
            for weight, mask in zip(weights, masks, strict=True):
                scale = torch.where(mask, 1.0, self.kept_scale).to(weight)
                hooks.enter_context(weight.register_hook(scale.mul))  # type: ignore[no-untyped-call]
            self.minimise(model, lambda: self.losses(model, (x, y), order))


def mean_gradient(
    forward: Callable[[Tensor], Tensor], data: Data, loss: Loss, weights: list[nn.Parameter], size: int
) -> list[Tensor]:
    """Compute the gradient in the weights of the mean loss, `size` examples at once."""
    total = [torch.zeros_like(w) for w in weights]
    for x, y in chunks(data, size):
        parts = torch.autograd.grad(loss(forward(x), y), weights, allow_unused=True)
        for sum_, part in zip(total, parts, strict=True):
            if part is not None:
                sum_.add_(part, alpha=len(y) / len(data[1]))
    return total


def smallest(values: Tensor, share: float) -> Tensor:
    """Mask the given share of the elements, the smallest ones."""
    flat = values.flatten()
    mask = torch.zeros_like(flat, dtype=torch.bool)
    mask[flat.argsort(stable=True)[: round(share * len(flat))]] = True
    return mask.view_as(values)
