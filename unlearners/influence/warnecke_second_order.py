"""Take one Newton step to the corrected data, by the LiSSA recursion."""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from unlearners._core.curvature import add, differentiable, flat, hessian_times, trainable
from unlearners._core.isolation import Examples
from unlearners._core.method import NetworkMethod
from unlearners._core.training import Loss, forever, loss_of, stack
from unlearners.influence.warnecke_first_order import Correction, corrected, gradient_difference


@dataclass(frozen=True, kw_only=True)
class WarneckeSecondOrder(NetworkMethod):
    """Subtract H^-1 (sum of grad l(corrected) - sum of grad l(forgotten)) / n.

    Source: Warnecke, Pirch, Wressnegger and Rieck 2023, "Machine unlearning of features and labels", second-order
    update. The forgotten points are replaced by corrected ones, which unlearns a feature or a label, or deleted. H is
    the Hessian of the mean loss over the n examples that remain, corrected ones included, plus weight_decay I; H^-1 v
    is approximated by LiSSA (Agarwal, Bullins and Hazan 2017), one batch a step,

        u <- v + (1 - damping) u - H_batch u / scale,   u = v at first,   u / scale -> (H + damping * scale I)^-1 v,

    which converges if scale is above half of H's largest eigenvalue and H + damping * scale I is positive definite.
    Where it diverges a RuntimeWarning tells, and the estimate from before is used. Everything is computed in eval
    mode: no dropout, and BatchNorm's running statistics stay. Exact where the loss is quadratic, the model a minimiser
    and the recursion has converged with small damping; no guarantee without the noise that the paper adds in training
    to certify convex models.

    correction, loss: as in `WarneckeFirstOrder`.
    damping, scale: of the recursion; damping is from 0 up to 1, scale positive.
    iterations: steps of the recursion; None is a hundred passes over the data.
    batch_size: examples for a Hessian-vector product.
    patience: stop after this many steps in a row whose update was not smaller than any before; the estimate after the
        smallest update is used.
    weight_decay: with which the model was trained, relative to the mean loss, as in torch.optim.SGD.

    Defaults are from the authors' demonstration: damping 1e-4, batches of 1024, patience 20, a hundred passes, and
    scale 2e5 for a Hessian summed over a batch, which is 200 for our mean. The paper writes H over the data as it was
    and as a sum; over what remains, with the gradient divided by n, the step is Newton's.
    """

    correction: Correction | None = None
    damping: float = 1e-4
    scale: float = 200.0
    iterations: int | None = None
    batch_size: int = 1024
    patience: int = 20
    weight_decay: float = 0.0
    loss: Loss = loss_of

    def __post_init__(self) -> None:
        if not 0 <= self.damping < 1 or not 0 < self.scale < math.inf or not 0 <= self.weight_decay < math.inf:
            raise ValueError(f"damping must be from 0 up to 1, scale positive, weight_decay at least 0: {self}")
        if self.batch_size < 1 or self.patience < 1 or (self.iterations is not None and self.iterations < 0):
            raise ValueError(f"batch_size and patience must be at least 1, iterations at least 0: {self}")

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:
        model.eval()
        kept, gone = stack(retain, model), stack(forget, model)
        fixed = corrected(gone, self.correction)
        remaining = kept if fixed is None else (torch.cat([kept[0], fixed[0]]), torch.cat([kept[1], fixed[1]]))
        source = forever(remaining, self.batch_size, order)

        def product(vector: Tensor) -> Tensor:
            return hessian_times(model, next(source), self.loss)(vector) + self.weight_decay * vector

        weights, n = trainable(model), len(remaining[1])
        with differentiable(model):
            step = gradient_difference(model, gone, fixed, self.loss)
            # The pull of the regulariser goes with the examples that are deleted.
            step -= (len(kept[1]) + len(gone[1]) - n) * self.weight_decay * flat(weights).detach()
            solution = self.inverse_hessian_times(product, step / n, 100 * math.ceil(n / self.batch_size))
        add(weights, -solution)

    def inverse_hessian_times(self, product: Callable[[Tensor], Tensor], vector: Tensor, passes: int) -> Tensor:
        """Approximate H^-1 v, as far as the recursion gets."""
        iterations = passes if self.iterations is None else self.iterations
        solution, converging = lissa(
            product, vector, damping=self.damping, scale=self.scale, iterations=iterations, patience=self.patience
        )
        if not converging:
            warnings.warn(
                f"{type(self).__name__}: the LiSSA recursion does not converge. A larger scale (above half of the "
                "largest eigenvalue of the Hessian) or more damping may help.",
                RuntimeWarning,
                stacklevel=2,
            )
        return solution if bool(solution.isfinite().all()) else torch.zeros_like(solution)


def lissa(
    product: Callable[[Tensor], Tensor], v: Tensor, *, damping: float, scale: float, iterations: int, patience: int
) -> tuple[Tensor, bool]:
    """Sum the truncated Neumann series of (H + damping * scale I)^-1 v.

    From (estimates of) products u -> H u.

    Returns: the estimate after the smallest update, and whether an update was ever smaller than the first.
    """
    current = best = v
    first = smallest = math.inf
    since = 0
    for i in range(iterations):
        following = v + (1 - damping) * current - product(current) / scale
        update = float((following - current).norm())
        first = update if i == 0 else first
        if update < smallest:
            best, smallest, since = following, update, 0
        else:
            since += 1
        if since >= patience:
            break
        current = following
    return best / scale, iterations < 2 or not bool(v.any()) or smallest < first
