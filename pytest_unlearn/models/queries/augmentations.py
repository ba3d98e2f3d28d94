"""Augmentations: what a model answers to moved or noisy inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_unlearn.core.evidence import FloatArray, IntArray, Outputs
from pytest_unlearn.data.dataset import to_numpy
from pytest_unlearn.data.view import View


@dataclass(frozen=True)
class Noise:
    """Gaussian noise, as a share of the input's root mean square."""

    share: float = 0.3

    def __call__(self, inputs: Any, rng: np.random.Generator) -> Any:
        """Noisy copies of a batch."""
        rows = to_numpy(inputs)
        size = np.sqrt(np.mean(np.square(rows, dtype=np.float64), axis=tuple(range(1, rows.ndim)), keepdims=True))
        return (rows + self.share * size * rng.standard_normal(rows.shape)).astype(rows.dtype)


@dataclass(frozen=True)
class Augmentations:
    """Logits on augmented inputs, shape (examples, queries, classes).

    Args:
        augment: `augment(inputs, rng) -> inputs`, a batch at a time; best the augmentation that training used.
        queries: augmented copies of each example.
        seed: of the augmentation; the same for every model, so that models are asked the same.
    """

    augment: Callable[[Any, np.random.Generator], Any] = Noise()
    queries: int = 10
    seed: int = 0

    @property
    def continuous(self) -> bool:
        """Whether inputs are moved by fractions, which integers (tokens, bytes) cannot be."""
        return isinstance(self.augment, Noise)

    def __call__(self, _: Any, view: View, answer: Callable[[Any, IntArray], Outputs]) -> FloatArray:
        """Ask the model, through `answer`, about augmented copies of the view."""
        inputs = view.inputs(np.arange(len(view)))
        rounds: list[FloatArray] = []
        first: Any = None
        for number in range(self.queries):
            moved = self.augment(inputs, np.random.default_rng([self.seed, number]))
            if number and np.array_equal(to_numpy(moved), first):  # one that draws nothing, such as a mirror image
                rounds.append(rounds[0])
                continue
            first = to_numpy(moved) if number == 0 else first
            rounds.append(answer(moved, view.labels).logits)
        return np.stack(rounds, axis=1)
