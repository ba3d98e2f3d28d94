"""Define a published metric: its value, its target, and what it is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from pytest_unlearn.core.evidence import FloatArray
from pytest_unlearn.statistics.validation import is_number, matrix, real_array

Direction = Literal["higher", "lower", "nearer"]


@dataclass(frozen=True, slots=True)
class Metric:
    """Hold a metric's value and target.

    `target` is its value under perfect unlearning, None where that depends on the retrained model. `direction` tells
    which values are better: "higher", "lower", or those "nearer" the target (where there is none, the retrained model's
    value), on either side. `caution` states what the number does not show.
    """

    name: str
    value: float
    target: float | None
    direction: Direction
    caution: str


@dataclass(frozen=True, slots=True, eq=False)
class ExampleMetric:
    """Hold a metric of each example: `values` [n], else as `Metric`."""

    name: str
    values: FloatArray
    target: float | None
    direction: Direction
    caution: str

    def quantile(self, share: float) -> float:
        """Return the value that a share of the examples does not exceed.

        Papers report 0.95. Raises ValueError outside [0, 1].
        """
        rates(share=share)
        return float(np.quantile(self.values, share))


def rates(**given: float) -> None:
    """Check that each is a share.

    Raises:
        ValueError: a number outside [0, 1].
    """
    for name, value in given.items():
        if not is_number(value) or not 0.0 <= value <= 1.0:
            raise ValueError(f"{name} is {value!r}: it is a share between 0 and 1 (divide percentages by 100)")


def probabilities(name: str, values: ArrayLike) -> FloatArray:
    """Check rows of probabilities, shape (examples, classes).

    Raises:
        ValueError: another shape, or rows that do not add up to 1.
    """
    array = real_array(name, values)
    if array.ndim != 2 or not array.size:
        raise ValueError(f"{name} has shape {array.shape}: probabilities have shape (examples, classes)")
    if not np.isfinite(array).all() or (array < 0).any() or np.abs(array.sum(axis=1) - 1.0).max() > 1e-4:
        raise ValueError(f"{name} holds no probabilities: each row is at least 0 and adds up to 1 (apply softmax)")
    return array


def of_choices(name: str, values: ArrayLike, questions: int | None = None, *, least: int = 1) -> FloatArray:
    """Check finite numbers of each choice, shape (questions, choices).

    Raises:
        ValueError: another shape or number of questions, fewer than `least` choices, or what is not finite.
    """
    array = real_array(name, values)
    if array.ndim != 2 or array.shape[1] < least or len(array) != (questions or len(array)):
        asked = f"{questions} questions" if questions else "questions"
        raise ValueError(f"{name} has the shape {array.shape}: a row for each of {asked}, of {least} choices or more.")
    return matrix(name, array, array.shape[1])


def log_probabilities(**given: FloatArray) -> None:
    """Check that no logarithm of a probability is above 0.

    Raises:
        ValueError: one above.
    """
    for name, values in given.items():
        if values.max() > 1e-6:
            raise ValueError(f"{name} holds numbers above 0: pass log-probabilities, not probabilities or losses.")
