"""Two requests on real digits, and the models that answer them: shared by the audits of what outputs may hide."""

from __future__ import annotations

import atexit
import tempfile
from functools import cache

import numpy as np
from sklearn.datasets import load_digits
from torch import nn

from pytest_unlearn import Split, TorchRecipe, UnlearningTask
from tests.worlds.real import digits_example

GONE = 3


def build():
    """64-256-10."""
    return nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 10))


def build_small():
    """64-64-10."""
    return nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


RECIPE = TorchRecipe(build, epochs=40, batch_size=32, learning_rate=1e-3)
SMALL = TorchRecipe(build_small, epochs=30, batch_size=64, learning_rate=3e-3)


@cache
def folder():
    """Where this process keeps what it trained."""
    kept = tempfile.TemporaryDirectory()
    atexit.register(kept.cleanup)
    return kept.name


def class_split(extra=0):
    """Forget the digit 3 of 900 digits, and some other digits besides."""
    data = load_digits()
    x, y = (data.data / 16).astype(np.float32), data.target
    order = np.random.default_rng(0).permutation(len(y))
    train, test = order[:900], order[900:]
    others = np.flatnonzero(y[train] != GONE)[:extra]
    return Split(
        (x[train], y[train]), forget=np.union1d(np.flatnonzero(y[train] == GONE), others), test=(x[test], y[test])
    )


@cache
def class_task(recipe=SMALL, references=4):
    """A whole class must go."""
    return UnlearningTask(class_split(), recipe, references=references, cache_dir=folder())


@cache
def random_task(references=4):
    """A random request, a fifth of it with wrong labels: the main example's data, with a smaller network."""
    return UnlearningTask(digits_example().digits(seed=0), RECIPE, references=references, cache_dir=folder())


@cache
def example_task():
    """The main example as it is."""
    world = digits_example()
    return UnlearningTask(world.digits(seed=0), world.RECIPE, cache_dir=folder())


@cache
def fresh(task, seed=77):
    """A model retrained without the forget set, under a seed that no reference has."""
    return task.recipe(task.retain, seed=seed)
