"""Build and train the suite's own small networks, with all that can go wrong."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from pytest_unlearn.training import global_state

CLASSES, SIZE = 3, 200
FEATURES, PIXELS, STEPS, CHANNELS, WORDS = 6, 8, 5, 4, 12
EPOCHS, LEARNING_RATE = 30, 0.01
Array = NDArray[Any]


class Recurrent(nn.Module):
    """Classify the last state of an LSTM; `words` puts an embedding before it."""

    def __init__(self, words: int = 0) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, CHANNELS) if words else nn.Identity()
        self.lstm = nn.LSTM(CHANNELS, 8, batch_first=True)
        self.output = nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Compute logits, shape (examples, classes)."""
        logits: Tensor = self.output(self.lstm(self.embedding(x))[0][:, -1])
        return logits


def perceptron() -> nn.Module:
    """Build batch normalisation, dropout, and layers of several widths."""
    return nn.Sequential(
        *(nn.Linear(FEATURES, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2)),
        *(nn.Linear(16, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, CLASSES)),
    )


def convolutional(norm: Callable[[int], nn.Module]) -> nn.Module:
    """Build two convolutions, each with its normalisation."""
    return nn.Sequential(
        *(nn.Conv2d(1, 4, 3, padding=1), norm(4), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(4, 8, 3, padding=1), norm(8), nn.ReLU(), nn.AdaptiveAvgPool2d(2)),
        *(nn.Flatten(), nn.Linear(32, CLASSES)),
    )


def near_means(*shape: int) -> Callable[[Array, np.random.Generator], Array]:
    """Draw inputs of a shape that scatter around their class's mean."""

    def draw(y: Array, rng: np.random.Generator) -> Array:
        means = rng.normal(size=(CLASSES, *shape))
        return np.asarray(means[y] + rng.normal(size=(len(y), *shape)), dtype=np.float32)

    return draw


def sentences(y: Array, rng: np.random.Generator) -> Array:
    """Draw word numbers, some words likelier in one class than in another."""
    return (4 * y[:, None] + rng.integers(0, 7, size=(len(y), STEPS))) % WORDS


class Network(NamedTuple):
    """Build an untrained network, and draw inputs for it."""

    build: Callable[[], nn.Module]
    draw: Callable[[Array, np.random.Generator], Array]


NETWORKS = {
    "mlp-with-batch-norm-and-dropout": Network(perceptron, near_means(FEATURES)),
    "cnn-with-group-norm": Network(lambda: convolutional(lambda n: nn.GroupNorm(2, n)), near_means(1, PIXELS, PIXELS)),
    "cnn-with-batch-norm": Network(lambda: convolutional(nn.BatchNorm2d), near_means(1, PIXELS, PIXELS)),
    "lstm-on-sequences": Network(Recurrent, near_means(STEPS, CHANNELS)),
    "lstm-on-tokens": Network(lambda: Recurrent(WORDS), sentences),
    "linear-model": Network(lambda: nn.Linear(FEATURES, CLASSES), near_means(FEATURES)),
}
"""Name -> network, the one that most methods apply to first."""


@cache
def examples(name: str) -> tuple[Array, Array]:
    """Draw inputs and labels for a network."""
    y = np.arange(SIZE) % CLASSES
    return NETWORKS[name].draw(y, np.random.default_rng(0)), y


@lru_cache(maxsize=64)
def trained(name: str, rows: tuple[int, ...], seed: int) -> nn.Module:
    """Train a network on some of its examples; one object for all, so copy it."""
    x, y = (torch.as_tensor(part[list(rows)]) for part in examples(name))
    with global_state.restored(), torch.enable_grad():
        torch.set_num_threads(1)
        global_state.seed(seed)
        model = NETWORKS[name].build().train()
        for _ in range(EPOCHS):
            slopes = torch.autograd.grad(cross_entropy(model(x), y), list(model.parameters()))
            with torch.no_grad():
                for weight, slope in zip(model.parameters(), slopes, strict=True):
                    weight.sub_(LEARNING_RATE * slope.sign())  # suits every architecture, as Adam does
    return model.eval()
