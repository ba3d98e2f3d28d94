"""Models that trained on canaries and models that did not: real digits, quick to fit."""

from functools import cache

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from torch import nn

from pytest_unlearn import TorchRecipe, plant_canaries

DATA = load_digits()
X, Y = (DATA.data / 16).astype(np.float32), DATA.target
KINDS = ("gaussian", "mislabelled", "confusion", "backdoor")
CHANCE = {"gaussian": 0.0, "mislabelled": 0.5, "confusion": 0.5, "backdoor": 0.1}


def nearest():
    """Learns every example by heart, and reveals little more than labels."""
    return KNeighborsClassifier(1)


def linear():
    return LogisticRegression(C=100, max_iter=1000)


def network():
    return nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))


RECIPE = TorchRecipe(network, epochs=40, batch_size=64, learning_rate=3e-3)
FAST = {"gaussian": linear, "mislabelled": nearest, "confusion": nearest, "backdoor": linear}


def draw(seed, n=1300):
    rows = np.random.default_rng(seed).permutation(len(Y))
    return (X[rows[:n]], Y[rows[:n]]), (X[rows[n:]], Y[rows[n:]])


def retained(canaries):
    return tuple(np.delete(part, canaries.indices, axis=0) for part in canaries.train)


@cache
def fitted(kind, seed=0, make=None):
    """Canaries, a model that trained on them, and two that did not."""
    canaries = plant_canaries(draw(seed)[0], kind, seed=seed, **({"count": 80} if kind == "confusion" else {}))
    make, (x, y) = make or FAST[kind], retained(canaries)
    models = [make().fit(x[part], y[part]) for part in (slice(None), slice(40, None))]
    return canaries, make().fit(*canaries.train), models


class Rows:
    def __init__(self, inputs, labels):
        self.inputs, self.labels = inputs, labels

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return self.inputs[index], int(self.labels[index])


@cache
def networks(seed=0):
    canaries = plant_canaries(draw(seed)[0], "gaussian", seed=seed)
    return canaries, RECIPE(Rows(*canaries.train), seed=seed), RECIPE(Rows(*retained(canaries)), seed=seed + 100)


def z_of(evidence):
    return evidence.estimate.value * evidence.estimate.n_forget**0.5
