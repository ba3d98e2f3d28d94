"""The world of the leaderboard: Fashion-MNIST, 1,300 training images of which 300 must go, and a small convolutional
network.

Two halves of the 60,000 training images keep tuning and judging apart: audited draws come from the first half and their
controls are the 10,000 test images; development draws come from the second half, their controls included.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from examples.fashion_mnist import fashion_mnist
from pytest_unlearn import Split, TorchRecipe, UnlearningTask
from unlearners.tune import Draw

TRAIN, FORGET, UNSEEN = 1300, 300, 1000
ONCE = (
    2600,
    600,
    5000,
)  # images, of them to forget, and controls of the draw on which methods stand beside their authors' code
HALF = 30_000
TUNED_ON = 3300
EPOCHS = 30


@dataclass(frozen=True)
class World:
    """A deletion request, and images that nobody trained on and no audit uses, for methods that need some."""

    split: Split
    unseen: list[tuple[Any, int]]


def audited(draw: int, *, size: int = TRAIN, forget: int = FORGET) -> World:
    """Draw 0, 1, 2, ...: trained on images of the first half, judged on the test images."""
    x, y, x_test, y_test = fashion_mnist()
    rows = np.random.default_rng(draw).permutation(HALF)
    return _world(x, y, rows[:size], rows[size : size + UNSEEN], (x_test, y_test), forget)


def development() -> World:
    """The draw on which methods stand beside their authors' code: all of it from the second half."""
    x, y, _, _ = fashion_mnist()
    rows = HALF + np.random.default_rng(1000).permutation(HALF)
    size, forget, controls = ONCE
    held = rows[size + UNSEEN : size + UNSEEN + controls]
    return _world(x, y, rows[:size], rows[size : size + UNSEEN], (x[held], y[held]), forget)


def development_draws(count: int = 3) -> list[Draw]:
    """Draws to tune on, as large as the audited ones and all from the second half; no image is in two.

    The models are kept below `.unlearn/leaderboard`.
    """
    found = []
    for draw in range(count):
        split = tuned_on(draw).split
        task = UnlearningTask(split, RECIPE, references=2, cache_dir=Path(f".unlearn/leaderboard/tuned-on-{draw}"))
        start = time.process_time()
        RECIPE(task.retain, seed=0)
        seconds = time.process_time() - start
        found.append(Draw(task.original, task.retrained, task.retain, task.forget, task.test, seconds))
    return found


def tuned_on(draw: int) -> World:
    """Draw 0, 1, 2, ... of those to tune on; the images that nobody trained on are the same for all."""
    x, y, _, _ = fashion_mnist()
    rows = HALF + np.random.default_rng(2000).permutation(HALF)
    mine = rows[UNSEEN + TUNED_ON * draw : UNSEEN + TUNED_ON * (draw + 1)]
    train, test = mine[:TRAIN], mine[TRAIN:]
    return _world(x, y, train, rows[:UNSEEN], (x[test], y[test]), FORGET)


def _world(x: Any, y: Any, train: Any, unseen: Any, test: Any, forget: int) -> World:
    split = Split((x[train], y[train]), forget=np.arange(forget), test=test)
    return World(split, [(x[i], int(y[i])) for i in unseen])


def build() -> nn.Module:
    """Two convolutions and two linear layers, with BatchNorm: 106,000 weights."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, stride=2, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 7 * 7, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )


RECIPE = TorchRecipe(build, epochs=EPOCHS, batch_size=64, learning_rate=1e-3)
