"""Refine the forget set by memorisation, and unlearn its parts in turn (RUM)."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.linalg import vector_norm
from torch.utils.data import Subset

from unlearners._core.curvature import differentiable
from unlearners._core.distillation import frozen_copy, log_probabilities
from unlearners._core.isolation import Examples, Unlearner, isolated, require_module, require_retain
from unlearners._core.layers import require_continuous
from unlearners._core.training import Data, chunks, loss_of, stack
from unlearners.approximate.neggrad_plus import NegGradPlus

Score = Callable[[nn.Module, Data], Tensor]


@dataclass(frozen=True, kw_only=True)
class RUM:
    """Sort the forget set by memorisation, and unlearn group after group.

    Source: Zhao, Kurmanji, Barbulescu, Triantafillou and Triantafillou 2024, "What makes unlearning hard and what to do
    about it" (refined-unlearning meta-algorithm). The forget set is cut into as many groups of equal size as there are
    methods, from the least memorised examples to the most. Each method gets the model of the one before it, its group
    and the retain set. Memorisation itself needs many models; a proxy that needs the original alone stands for it, as
    in Zhao and Triantafillou 2024, "Scalability of memorization-based machine unlearning". No guarantee beyond the
    methods'.

    methods: an unlearner for each group, in order. A group may be left as it is by `NoOp()`.
    score: "curvature", of the loss in the input (Garg, Ravikumar and Roy 2024), "loss" of the original, or
        `score(model, (x, y)) -> Tensor` of shape (examples,), larger for what is more memorised.

    Defaults: NegGrad+ three times, with alpha .99, .97 and .97, lr .01, .01 and .001, and 5, 5 and 10 epochs, as in the
    example of the authors' code; momentum 0.9. On a small network such alphas forget nothing.
    """

    methods: tuple[Unlearner, ...] = (
        NegGradPlus(alpha=0.99, epochs=5, lr=0.01, momentum=0.9, anchor=0.0),
        NegGradPlus(alpha=0.97, epochs=5, lr=0.01, momentum=0.9, anchor=0.0),
        NegGradPlus(alpha=0.97, epochs=10, lr=0.001, momentum=0.9, anchor=0.0),
    )
    score: Literal["curvature", "loss"] | Score = "curvature"

    def __post_init__(self) -> None:
        if not self.methods or (not callable(self.score) and self.score not in SCORES):
            raise ValueError(f'methods must not be empty; score is "curvature", "loss" or a function: {self}')

    def __call__(self, model: Any, retain: Examples, forget: Examples, *, seed: int) -> Any:
        require_module(model, "RUM")
        require_retain(retain, "RUM")
        if len(forget) == 0:
            return deepcopy(model)
        with isolated(seed):
            data = stack(forget, model)
            score = self.score if callable(self.score) else SCORES[self.score]
            ranked = score(frozen_copy(model), data).argsort(stable=True)
        for group, method in zip(ranked.tensor_split(len(self.methods)), self.methods, strict=True):
            if len(group):
                part: Subset[Any] = Subset(forget, group.tolist())  # type: ignore[arg-type]
                model = method(model, retain, part, seed=seed)
        return model


def losses(model: nn.Module, data: Data) -> Tensor:
    """Return the loss of each example, shape (examples,)."""
    with torch.no_grad():
        parts = [-log_probabilities(model(x)).gather(1, y[:, None])[:, 0] for x, y in chunks(data)]
    return torch.cat(parts)


def curvatures(model: nn.Module, data: Data, *, step: float = 1e-3, directions: int = 10) -> Tensor:
    """Estimate the size of the loss's Hessian in the input, shape (examples,).

    The mean over random signs v of |grad l(x + step v) - grad l(x)|^2.
    """
    require_continuous(data[0], 'RUM with score="curvature"')
    found = []
    for x, y in chunks(data, 256):
        start = _slope(model, x, y)
        signs = [torch.randint(2, x.shape, device=x.device).to(x) * 2 - 1 for _ in range(directions)]
        changes = [vector_norm((_slope(model, x + step * v, y) - start).flatten(1), dim=1) ** 2 for v in signs]
        found.append(torch.stack(changes).mean(0))
    return torch.cat(found)


def _slope(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    moved = x.detach().clone().requires_grad_(True)
    with differentiable(model):
        (slope,) = torch.autograd.grad(loss_of(model(moved), y) * len(y), moved)
    return slope


SCORES: dict[str, Score] = {"curvature": curvatures, "loss": losses}
