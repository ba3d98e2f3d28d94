"""Move the forget set to the nearest wrong class."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import one_hot

from unlearners._core.distillation import frozen_copy
from unlearners._core.isolation import Examples, with_running_statistics
from unlearners._core.layers import require_classes, require_continuous
from unlearners._core.method import NetworkMethod
from unlearners._core.training import Data, Loss, Training, chunks, stack


@dataclass(frozen=True, kw_only=True)
class BoundaryShrink(NetworkMethod, Training):
    """Fine-tune the forget set towards its nearest wrong class.

    Source: Chen et al. 2023, "Boundary unlearning". The wrong class is the likeliest one other than the label at x +
    bound * sign(gradient of the loss in x), under the original; where the step does not cross the boundary, the public
    implementation keeps the label, and the example with it. The retain set is never read; BatchNorm uses its running
    statistics. Meant for whole classes; no guarantee.

    bound: length of the step in each input dimension, at least 0.

    Defaults: bound 0.1 and 10 epochs of SGD with lr 1e-5, momentum 0.9 and batches of 64 are from a public
    implementation of the paper; inputs are not clipped to the range of an image.
    """

    epochs: int = 10
    lr: float = 1e-5
    batch_size: int = 64
    bound: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.bound >= 0:
            raise ValueError(f"bound is the length of a step, at least 0: {self}")

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:  # noqa: ARG002
        gone = stack(forget, model)
        require_continuous(gone[0], "BoundaryShrink")
        require_classes(model, gone[0], "BoundaryShrink")
        data = gone[0], nearest_wrong_class(frozen_copy(model), gone, self.loss, self.bound)
        forward = with_running_statistics(model)
        self.minimise(model, lambda: self.losses(forward, data, order))


def nearest_wrong_class(model: nn.Module, data: Data, loss: Loss, bound: float) -> Tensor:
    """Find each example's likeliest wrong class, after a step up the loss."""
    found = []
    for x, y in chunks(data):
        moved = x.clone().requires_grad_(True)
        (slope,) = torch.autograd.grad(loss(model(moved), y), moved)
        with torch.no_grad():
            logits = model(x + bound * slope.sign())
        own = one_hot(y, logits.shape[-1]).bool()
        found.append(logits.masked_fill(own, -torch.inf).argmax(1))
    return torch.cat(found)
