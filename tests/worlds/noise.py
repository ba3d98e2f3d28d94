"""Labels that are half noise: what a network knows of the noise, it has learned by heart."""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_unlearn import Split

CLASSES = 3


def noise(count: int, seed: int, shape: tuple[int, ...] = (12,)) -> tuple[Any, Any]:
    """Return inputs of a shape, float32, and labels, half of which follow from the inputs."""
    rng = np.random.default_rng([seed, count])
    inputs = rng.normal(size=(count, *shape)).astype(np.float32)
    labels = inputs.reshape(count, -1)[:, :CLASSES].argmax(axis=1)
    return inputs, np.where(rng.random(count) < 0.5, rng.integers(0, CLASSES, count), labels)


def sentences(count: int, seed: int, length: int = 8) -> tuple[Any, Any]:
    """Return token ids from 1 to 19, filled up with 0, and labels, half of which follow from the first."""
    rng = np.random.default_rng([seed, count])
    ids = rng.integers(1, 20, (count, length))
    ids[np.arange(length) >= rng.integers(4, length + 1, count)[:, None]] = 0
    return ids, np.where(rng.random(count) < 0.5, rng.integers(0, CLASSES, count), ids[:, 0] % CLASSES)


def noisy_split(forget: int = 100, *, shape: tuple[int, ...] = (12,)) -> Split:
    """Return twice as many training examples as must be forgotten, and six hundred controls."""
    return Split(noise(2 * forget, 0, shape), forget=np.arange(forget), test=noise(600, 1, shape))
