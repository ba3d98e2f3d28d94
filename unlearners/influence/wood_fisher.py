"""Step along the forget gradient, preconditioned by WoodFisher (IU)."""

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from unlearners._core.curvature import add, differentiable, example_gradients, total_gradient, trainable
from unlearners._core.isolation import Examples
from unlearners._core.method import NetworkMethod
from unlearners._core.training import Data, Loss, loss_of, stack


@dataclass(frozen=True, kw_only=True)
class WoodFisher(NetworkMethod):
    """Add step * F^-1 (sum of forget gradients - share of retain's) / n.

    It is the "IU" (influence unlearning) that Jia et al. 2023 ("Model sparsity can simplify machine unlearning") and
    Fan et al. 2024 (SalUn) compare with: v = (sum over forget of g_i - n_forget / n_retain * sum over retain of g_j) /
    n, with the inverse empirical Fisher information applied by the recursion of WoodFisher (Singh and Alistarh 2020) as
    their code has it. From k = v and o = g_1 it goes through single retained examples,

        k <- k - (k . g) / (N + o . g) o,   o <- o - (o . g) / (N + o . g) o,

    which keeps one vector o for all the F^-1 g_j of the rank-one updates. So it is no inverse of a matrix: `exact=True`
    makes those updates, F^-1 = (I + sum over N of g_j g_j' / N)^-1, by the Gram matrix of the N gradients. Everything
    in eval mode: no dropout, and BatchNorm's running statistics stay. No guarantee; a large step destroys the model.

    step: how far to go, alpha in their code, at least 0.
    examples: N, how many retained examples the recursion sees, drawn by the seed; fewer where there are not so many.
    exact: invert the damped Fisher matrix of these examples, at the cost of their N gradients in memory.
    loss: mean loss of a batch, `loss(logits, y)`.

    Defaults: step 0.2 and 1,000 examples are in their code; they tune the step for each task, up to 20. Where the
    network fits its training set, gradients are small and 0.2 changes nothing.
    """

    step: float = 0.2
    examples: int = 1000
    exact: bool = False
    loss: Loss = loss_of

    def __post_init__(self) -> None:
        if not 0 <= self.step < math.inf or self.examples < 1:
            raise ValueError(f"step must be finite and at least 0, examples at least 1: {self}")

    def change(self, model: nn.Module, retain: Examples, forget: Examples, order: Generator) -> None:
        model.eval()
        (x, y), gone = stack(retain, model), stack(forget, model)
        n, k = len(y), len(gone[1])
        drawn = torch.randperm(n, generator=order)[: self.examples].to(y.device)
        with differentiable(model):
            pull = total_gradient(model, gone, self.loss) - k / n * total_gradient(model, (x, y), self.loss)
            step = self.step * self.inverse_fisher_times(model, (x[drawn], y[drawn]), pull / (n + k))
        if bool(step.isfinite().all()):
            add(trainable(model), step)

    def inverse_fisher_times(self, model: nn.Module, data: Data, vector: Tensor) -> Tensor:
        """Apply the recursion, or the damped inverse that it stands for."""
        rows = (flat_rows(parts) for parts in example_gradients(model, data, self.loss))
        if self.exact:
            gradients = torch.cat(list(rows))
            n = len(gradients)
            gram = n * torch.eye(n, dtype=vector.dtype, device=vector.device) + gradients @ gradients.T
            solved: Tensor = torch.linalg.solve(gram, gradients @ vector)
            return vector - gradients.T @ solved
        found, one, n = vector.clone(), None, len(data[1])
        for block in rows:
            for gradient in block:
                if one is None:
                    one = gradient.clone()
                    continue
                along = one @ gradient
                found -= (found @ gradient) / (n + along) * one
                one -= along / (n + along) * one
        return found


def flat_rows(parts: list[Tensor]) -> Tensor:
    """Join gradients of examples into one row each."""
    return torch.cat([part.reshape(len(part), -1) for part in parts], 1)
