"""Digits with 20% label noise and small forests: a world in which an attack sees what was trained on."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier

from pytest_unlearn import EstimatorRecipe, Split, UnlearningTask
from pytest_unlearn.views import View

TRAIN, NOISE, LIMIT = 600, 0.2, 0.6
RECIPE = EstimatorRecipe(RandomForestClassifier(15, bootstrap=False))


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """`task`, and `wrong`: which training labels are planted ones."""
    data = load_digits()
    rng = np.random.default_rng(0)
    order = rng.permutation(len(data.target))
    pixels, labels = (data.data[order] / 16).astype(np.float32), data.target[order].copy()
    wrong = np.zeros(len(labels), dtype=bool)
    wrong[rng.choice(len(labels), size=round(NOISE * len(labels)), replace=False)] = True
    labels[wrong] = (labels[wrong] + rng.integers(1, 10, size=wrong.sum())) % 10
    split = Split((pixels[:TRAIN], labels[:TRAIN]), forget=[0], test=(pixels[TRAIN:], labels[TRAIN:]))
    task = UnlearningTask(split, RECIPE, references=0, cache_dir=tmp_path_factory.mktemp("cache"))
    return SimpleNamespace(task=task, wrong=wrong[:TRAIN])


class Forgets:
    """Retrains without those forget examples for which `remembered(forget)` is False; the others stay in."""

    def __init__(self, remembered=lambda forget: np.zeros(len(forget), dtype=bool)):
        self.remembered = remembered

    def __call__(self, model, retain, forget, *, seed):
        kept = np.sort(np.r_[retain.indices, forget.indices[self.remembered(forget)]])
        return RECIPE(View("kept", retain.examples, kept), seed=seed)
