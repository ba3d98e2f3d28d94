"""Retrain from scratch: the gold standard."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from unlearners._core.isolation import Examples, isolated, require_retain


@dataclass(frozen=True)
class Retrain:
    """Train a new model on the retain set with the original recipe.

    Exact by definition, and the cost to beat. Cao and Yang 2015 name it the naive solution; Bourtoule et al. 2021
    (SISA) define unlearning by it.

    recipe: any callable `recipe(dataset, *, seed) -> model`, for whatever kind of model.
    """

    recipe: Callable[..., Any]

    def __call__(self, model: Any, retain: Examples, forget: Examples, *, seed: int) -> Any:
        require_retain(retain, "Retrain")
        if len(forget) == 0:
            return deepcopy(model)
        with isolated(seed):
            return self.recipe(retain, seed=seed)
