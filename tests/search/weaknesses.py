"""Digits with planted label noise, and methods that are good on most requests and bad on one kind of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import NearestNeighbors

from pytest_unlearn import EstimatorRecipe, Split
from pytest_unlearn.data.view import View

Remembered = Callable[[View, View], NDArray[np.bool_]]
NEAR = 1.3  # a pixel is in [0, 1]; the median digit's nearest neighbour among 900 is at 1.5


def noisy_digits(seed: int = 0, train: int = 900, noise: float = 0.2, groups: Any = None) -> tuple[Split, Any]:
    """A split without a request of its own, and which training labels are planted ones."""
    data, rng = load_digits(), np.random.default_rng(seed)
    order = rng.permutation(len(data.target))
    pixels, labels = (data.data[order] / 16).astype(np.float32), data.target[order].copy()
    wrong = np.zeros(len(labels), dtype=bool)
    wrong[rng.choice(len(labels), size=round(noise * len(labels)), replace=False)] = True
    labels[wrong] = (labels[wrong] + rng.integers(1, 10, size=wrong.sum())) % 10
    split = Split((pixels[:train], labels[:train]), forget=[0], test=(pixels[train:], labels[train:]), groups=groups)
    return split, wrong[:train]


def forest(trees: int = 30) -> EstimatorRecipe:
    """Trees that have seen every example, so that they remember its label."""
    return EstimatorRecipe(RandomForestClassifier(trees, bootstrap=False))


def nothing(retain: View, forget: View) -> NDArray[np.bool_]:
    """What a method remembers that forgets all of every request."""
    return np.zeros(len(forget), dtype=bool)


@dataclass(frozen=True)
class Forgets:
    """Retrains without those forget examples for which `remembered(retain, forget)` is False; the others stay in."""

    recipe: Any
    remembered: Remembered = nothing

    def __call__(self, model: Any, retain: View, forget: View, *, seed: int) -> Any:
        kept = np.sort(np.r_[retain.indices, forget.indices[self.remembered(retain, forget)]])
        return self.recipe(View("kept", retain.examples, kept), seed=seed)


@dataclass(frozen=True)
class FirstOnly:
    """Forgets the first request that a model is asked for, and hands back what it is given at every later one."""

    recipe: Any
    original: Any

    def __call__(self, model: Any, retain: View, forget: View, *, seed: int) -> Any:
        return Forgets(self.recipe)(model, retain, forget, seed=seed) if model is self.original else model


def large(retain: View, forget: View, least: int = 50) -> NDArray[np.bool_]:
    """All of a request of fifty examples or more."""
    return np.full(len(forget), len(forget) >= least)


def class_seven(retain: View, forget: View) -> NDArray[np.bool_]:
    """Every example of class 7."""
    return np.asarray(forget.labels == 7)


def near_duplicates(retain: View, forget: View) -> NDArray[np.bool_]:
    """Every example of which something very similar is retained."""
    rows, asked = (np.asarray(part.arrays()[0]).reshape(len(part), -1) for part in (retain, forget))
    distance, _ = NearestNeighbors(n_neighbors=1).fit(rows).kneighbors(asked)
    return np.asarray(distance[:, 0] < NEAR)


def mislabelled(wrong: NDArray[np.bool_]) -> Remembered:
    """Every example whose label is a planted one."""
    return lambda retain, forget: wrong[forget.indices]


def weaknesses(recipe: Any, wrong: NDArray[np.bool_], original: Any) -> dict[str, Any]:
    """The planted weaknesses by name."""
    return {
        "requests of 50 or more": Forgets(recipe, large),
        "class 7": Forgets(recipe, class_seven),
        "near-duplicates in retain": Forgets(recipe, near_duplicates),
        "mislabelled examples": Forgets(recipe, mislabelled(wrong)),
        "second of a sequence": FirstOnly(recipe, original),
    }
