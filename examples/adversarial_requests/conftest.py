"""Digits with wrong labels among them, a random forest, and a method that looks fine until it is asked twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier

from pytest_unlearn import EstimatorRecipe, Split

TRAIN, NOISE = 900, 0.2
RECIPE = EstimatorRecipe(RandomForestClassifier(20, bootstrap=False))


@pytest.fixture(scope="session")
def unlearn_split() -> Split:
    """900 training digits and 897 test digits, a fifth of all labels wrong; requests are made by the tests."""
    data, rng = load_digits(), np.random.default_rng(0)
    order = rng.permutation(len(data.target))
    pixels, labels = (data.data[order] / 16).astype(np.float32), data.target[order].copy()
    wrong = rng.choice(len(labels), size=round(NOISE * len(labels)), replace=False)
    labels[wrong] = (labels[wrong] + rng.integers(1, 10, size=len(wrong))) % 10
    train, test = (pixels[:TRAIN], labels[:TRAIN]), (pixels[TRAIN:], labels[TRAIN:])
    return Split(train, forget=np.arange(180), test=test)


@pytest.fixture(scope="session")
def unlearn_recipe() -> EstimatorRecipe:
    """Trees that have seen every example remember its label."""
    return RECIPE


@dataclass(frozen=True)
class RetrainFromArchive:
    """Retrains on the archived training data without the examples of this request, which is right the first time.

    What an earlier request took out is still in the archive: the second request brings it back.
    """

    recipe: EstimatorRecipe
    archive: Split

    def __call__(self, model: Any, retain: Any, forget: Any, *, seed: int) -> Any:
        """`retain` would have been the data to train on."""
        kept = np.setdiff1d(np.arange(len(self.archive.train)), forget.indices)
        return self.recipe([self.archive.train[int(row)] for row in kept], seed=seed)


@pytest.fixture(scope="session")
def unlearner(unlearn_split: Split) -> RetrainFromArchive:
    """The method to be released."""
    return RetrainFromArchive(RECIPE, unlearn_split)
