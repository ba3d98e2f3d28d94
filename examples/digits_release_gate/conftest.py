"""Real digits, a real network, a real deletion request: everything an audit needs to know about a project."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from torch import nn

from pytest_unlearn import Split, TorchRecipe
from unlearners import Retrain

FORGET, CONTROLS, TRAIN = 300, 300, 600
NOISE = 0.2


def build() -> nn.Module:
    """The network of this project."""
    return nn.Sequential(nn.Linear(64, 1024), nn.ReLU(), nn.Linear(1024, 10))


def digits(seed: int, noise: float = NOISE) -> Split:
    """600 training digits of which 300 must go, 300 controls from the same law, and 897 test digits.

    A fifth of the labels of forget and control examples is wrong. It is planted before training, so that there is
    something to forget that generalisation cannot explain, and in the controls too, so that they match.
    """
    data = load_digits()
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(data.target))
    pixels, labels = (data.data[order] / 16).astype(np.float32), data.target[order].copy()
    train, controls = np.arange(TRAIN), np.arange(TRAIN, TRAIN + CONTROLS)
    for rows in (train[:FORGET], controls):
        wrong = rng.choice(rows, size=round(noise * len(rows)), replace=False)
        labels[wrong] = (labels[wrong] + rng.integers(1, 10, size=len(wrong))) % 10
    rest = np.arange(TRAIN + CONTROLS, len(labels))
    part = {name: (pixels[rows], labels[rows]) for name, rows in (("train", train), ("test", rest), ("held", controls))}
    return Split(part["train"], forget=np.arange(FORGET), test=part["test"], controls=part["held"])


RECIPE = TorchRecipe(build, epochs=100, batch_size=32, learning_rate=1e-3)


@pytest.fixture(scope="session")
def unlearn_split():
    """What was trained on and what must be forgotten."""
    return digits(seed=0)


@pytest.fixture(scope="session")
def unlearn_recipe():
    """How models are trained here."""
    return RECIPE


@pytest.fixture(scope="session")
def unlearner(unlearn_recipe):
    """The method whose result is to be released: retraining, the gold standard."""
    return Retrain(unlearn_recipe)
