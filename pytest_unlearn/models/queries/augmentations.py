"""Augmentations: what a model answers to moved or noisy inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_unlearn.core.evidence import FloatArray
from pytest_unlearn.data.dataset import to_numpy
from pytest_unlearn.data.view import View
from pytest_unlearn.models.query import Answer


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

    def __call__(self, _: Any, view: View, answer: Answer) -> FloatArray:
        """Ask the model, through `answer`, about augmented copies of the view."""
        first = self._moved(view, 0, answer)
        rounds: list[FloatArray] = [answer(first, view.labels).logits]
        for number in range(1, self.queries):
            moved = self._moved(view, number, answer)
            drawn = not np.array_equal(
                to_numpy(moved), to_numpy(first)
            )  # a mirror image draws nothing, and is asked about once
            rounds.append(answer(moved, view.labels).logits if drawn else rounds[0])
        return np.stack(rounds, axis=1)

    def _moved(self, view: View, number: int, answer: Answer) -> Any:
        """Augment the view, once for all models."""

        def move() -> Any:
            return self.augment(view.inputs(np.arange(len(view))), np.random.default_rng([self.seed, number]))

        return answer.share((self.augment, self.seed, number, view.key), move)


def _equal(one: Any, other: Any) -> bool:
    return np.array_equal(to_numpy(one), to_numpy(other))
