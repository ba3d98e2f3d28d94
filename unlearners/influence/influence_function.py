"""Take one Newton step on the retain set, by Hessian-vector products."""

import math
import warnings
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from unlearners._core.curvature import (
    add,
    conjugate_gradient,
    differentiable,
    flat,
    hessian_times,
    total_gradient,
    trainable,
)
from unlearners._core.isolation import Examples
from unlearners._core.method import NetworkMethod
from unlearners._core.training import Data, Loss, loss_of, stack


@dataclass(frozen=True, kw_only=True)
class InfluenceFunction(NetworkMethod):
    """Add H^-1 sum over forget of (grad l_i + weight_decay theta) / n_retain.

    Source: Koh and Liang 2017, sections 2.1 and 3. H is the Hessian of the mean loss over the retain set, plus
    (weight_decay + damping) I; H^-1 v is found by conjugate gradients. Everything is computed in eval mode: no dropout,
    and BatchNorm with its running statistics, which stay. Koh and Liang take the Hessian over all of the data; over
    what remains, the step is Newton's towards the retrained optimum (Guo et al. 2020): exact where the loss is
    quadratic, the model is a minimiser and damping is zero, and otherwise without guarantee. A RuntimeWarning tells
    when conjugate gradients stopped early, as they do at negative curvature, which networks have: then the step taken
    is the one they had found.

    damping: added to the curvature, at least 0; more makes for smaller steps.
    weight_decay: with which the model was trained, on all trainable parameters and relative to the mean loss, as in
        torch.optim.SGD.
    tolerance, steps: conjugate gradients stop at this relative residual, or after this many Hessian-vector products.
    loss: mean loss of a batch that the model was trained on, `loss(logits, y)`.

    Defaults: damping 0.01 is what Koh and Liang used for a network (section 4.2); 100 steps and a residual of 1e-6
    are ours.
    """

    damping: float = 0.01
    weight_decay: float = 0.0
    tolerance: float = 1e-6
    steps: int = 100
    loss: Loss = loss_of

    def __post_init__(self) -> None:
        if not 0 <= self.damping < math.inf or not 0 <= self.weight_decay < math.inf:
            raise ValueError(f"damping and weight_decay must be finite and at least 0: {self}")
        if not self.tolerance > 0 or self.steps < 1:
            raise ValueError(f"tolerance must be positive, steps at least 1: {self}")

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:  # noqa: ARG002
        model.eval()
        kept = stack(retain, model)
        with differentiable(model):
            pull = self.pull(model, stack(forget, model))
            add(trainable(model), self.inverse_hessian_times(model, kept, pull) / len(kept[1]))

    def pull(self, model: nn.Module, data: Data) -> Tensor:
        """Sum the gradient of the regularised loss over the examples."""
        weights = flat(trainable(model)).detach()
        return total_gradient(model, data, self.loss) + len(data[1]) * self.weight_decay * weights

    def inverse_hessian_times(self, model: nn.Module, data: Data, vector: Tensor) -> Tensor:
        """Solve for H^-1 v, as far as conjugate gradients get."""
        product, shift = hessian_times(model, data, self.loss), self.weight_decay + self.damping
        solution, residual = conjugate_gradient(
            lambda v: product(v) + shift * v, vector, tolerance=self.tolerance, steps=self.steps
        )
        if not residual <= self.tolerance:
            warnings.warn(
                f"{type(self).__name__}: conjugate gradients stopped at a relative residual of {residual:.1e} "
                f"(tolerance {self.tolerance:.1e}) with {self.steps} steps allowed: the damped Hessian is not positive "
                "definite, or badly conditioned. More damping or more steps may help.",
                RuntimeWarning,
                stacklevel=2,
            )
        return solution if bool(solution.isfinite().all()) else torch.zeros_like(solution)
