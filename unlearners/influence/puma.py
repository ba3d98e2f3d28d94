"""Step by influence, with the retain set reweighted to keep performance."""

import math
from dataclasses import dataclass, field

import torch
from torch import Generator, Tensor, nn

from unlearners._core.curvature import add, differentiable, gradient, total_gradient, trainable
from unlearners._core.isolation import Examples
from unlearners._core.training import Data, Loss, chunks, stack
from unlearners.influence.influence_function import InfluenceFunction

CHUNK = 256


@dataclass(frozen=True, kw_only=True)
class PUMA(InfluenceFunction):
    """Remove the forget set's influence and reweight the retain set for it.

    Source: Wu, Hashemi and Srinivasa 2022, "PUMA: Performance Unchanged Model Augmentation for Training Data Removal".
    With g the gradient of an example's loss, H as in `InfluenceFunction` and c the gradient of a criterion (the mean
    loss on `criterion`), giving retained example j the weight 1 + w_j and the forgotten ones none moves the weights by

        step = H^-1 (sum over forget of g_i - sum over retain of w_j g_j) / n_retain,

    and the criterion, to first order, by c' step = (harm - w' s) / n_retain, where s_j = c' H^-1 g_j and harm is the
    sum of c' H^-1 g_i over forget. If harm > 0, w is the minimiser of (harm - w' s)^2 + ridge |w|^2, in closed form
    w = compensation * harm * s / |s|^2 with compensation = |s|^2 / (|s|^2 + ridge): at 1 it is the smallest
    reweighting that leaves the criterion as it was. If harm <= 0, removal alone does not hurt, and w is zero. The
    forget set has no weight whatever w is. No guarantee beyond first order.

    criterion: the examples on which performance must not suffer (not those of the audit); None is the retain set.
    compensation: the part of the harm that is made up for, from 0 (the plain influence step) to 1.
    rate: the part of the step that is taken.
    The rest as in `InfluenceFunction`.

    The paper too finds the weights by minimising the change of a criterion under a constraint on w, and patches the
    model linearly. It asks for sparse weights, which need a solver; we take the least-norm ones. That a gain is kept,
    not undone, is our reading of the paper's aim, which is to make up for harm. The defaults are ours.
    """

    criterion: Examples | None = field(default=None, repr=False)
    compensation: float = 1.0
    rate: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.compensation <= 1 or not 0 <= self.rate < math.inf:
            raise ValueError(f"compensation lies between 0 and 1, rate is finite and at least 0: {self}")

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:  # noqa: ARG002
        model.eval()
        kept = stack(retain, model)
        with differentiable(model):
            pull = self.pull(model, stack(forget, model))
            if self.compensation > 0:
                pull = pull - self.compensating_gradient(model, kept, pull)
            step = self.inverse_hessian_times(model, kept, pull) / len(kept[1])
        add(trainable(model), self.rate * step)

    def compensating_gradient(self, model: nn.Module, kept: Data, pull: Tensor) -> Tensor:
        """Sum w_j g_j over retain."""
        judged = kept if self.criterion is None else stack(self.criterion, model)
        # A sum, where the criterion is a mean: its scale cancels in w.
        sensitivity = self.inverse_hessian_times(model, kept, total_gradient(model, judged, self.loss))
        harm = pull @ sensitivity
        scores = directional_derivatives(model, kept, self.loss, sensitivity)
        if not harm > 0 or not scores.any():
            return torch.zeros_like(pull)
        return weighted_gradient(model, kept, self.loss, self.compensation * harm * scores / (scores @ scores))


def directional_derivatives(model: nn.Module, data: Data, loss: Loss, direction: Tensor) -> Tensor:
    """Differentiate each example's loss along a direction in the weights."""
    weights, found = trainable(model), []
    for x, y in chunks(data, CHUNK):
        losses = example_losses(model, (x, y), loss)
        # The gradient of sum u_i l_i is linear in u; its derivative in u, along the direction, is what we want.
        u = torch.ones_like(losses, requires_grad=True)
        slope = gradient(losses @ u, weights, create_graph=True)
        found.append(torch.autograd.grad(slope @ direction, u)[0])
    return torch.cat(found)


def weighted_gradient(model: nn.Module, data: Data, loss: Loss, importance: Tensor) -> Tensor:
    """Compute the gradient of the sum over examples of importance times loss."""
    weights = trainable(model)
    parts = zip(chunks(data, CHUNK), torch.split(importance, CHUNK), strict=True)
    return torch.stack([gradient(w @ example_losses(model, part, loss), weights) for part, w in parts]).sum(0)


def example_losses(model: nn.Module, data: Data, loss: Loss) -> Tensor:
    """Compute each example's loss, from a loss that is the mean of a batch."""
    x, y = data
    logits = model(x)
    return torch.stack([loss(logits[i : i + 1], y[i : i + 1]) for i in range(len(y))])
