"""Take gradient steps from the data as it was to the corrected data."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Generator, Tensor, nn

from unlearners._core.curvature import add, differentiable, total_gradient, trainable
from unlearners._core.isolation import Examples
from unlearners._core.method import NetworkMethod
from unlearners._core.training import Data, Loss, loss_of, stack

Correction = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True, kw_only=True)
class WarneckeFirstOrder(NetworkMethod):
    """Subtract rate * (sum of grad l(corrected) - sum of grad l(forgotten)), repeatedly.

    Source: Warnecke, Pirch, Wressnegger and Rieck 2023, "Machine unlearning of features and labels", first-order
    update. The forgotten points are replaced by corrected ones, which unlearns a feature or a label, or deleted. The
    retain set is never read. Gradients are taken in eval mode: no dropout, and BatchNorm's running statistics stay. No
    guarantee without the noise that the paper adds in training to certify convex models.

    rate: size of a step, at least 0; the gradients are sums, so it does not scale with the number of examples.
    steps: how many, each with the gradients at where the last one led; 1 is the paper's formula.
    correction: `(x, y) -> (x, y)`, called once with all forgotten examples as tensors on the model's device, gives what
        takes their place, one for one; None deletes them.
    loss: mean loss of a batch, `loss(logits, y)`.

    Defaults: rate 2e-5 and 10 steps are from the authors' demonstration.
    """

    rate: float = 2e-5
    steps: int = 10
    correction: Correction | None = None
    loss: Loss = loss_of

    def __post_init__(self) -> None:
        if not 0 <= self.rate < math.inf:
            raise ValueError(f"rate must be finite and at least 0: {self}")
        if self.steps < 1:
            raise ValueError(f"steps must be at least 1: {self}")

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:  # noqa: ARG002
        model.eval()
        gone = stack(forget, model)
        fixed = corrected(gone, self.correction)
        for _ in range(self.steps):
            with differentiable(model):
                step = self.rate * gradient_difference(model, gone, fixed, self.loss)
            if not bool(step.isfinite().all()):
                return
            add(trainable(model), -step)


def corrected(gone: Data, correction: Correction | None) -> Data | None:
    """Replace the forgotten examples, one for one; None where they are deleted."""
    if correction is None:
        return None
    x, y = correction(gone[0].clone(), gone[1].clone())
    if x.shape != gone[0].shape or y.shape != gone[1].shape:
        raise ValueError(
            f"correction must give one example of the same shape for each that it is given: {tuple(gone[0].shape)} "
            f"and {tuple(gone[1].shape)} became {tuple(x.shape)} and {tuple(y.shape)}."
        )
    return x, y


def gradient_difference(model: nn.Module, gone: Data, fixed: Data | None, loss: Loss) -> Tensor:
    """Compute the summed gradient's change when `fixed` takes the place of `gone`."""
    lost = total_gradient(model, gone, loss)
    return -lost if fixed is None else total_gradient(model, fixed, loss) - lost
