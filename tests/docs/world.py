"""What readers of a page have already: data with a request, a recipe, models. Hidden blocks of the pages import it.

Digits with a fifth of the labels wrong and forests, which learn them by heart in a tenth of a second.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier

from pytest_unlearn import EstimatorRecipe, Split, UnlearningTask

RECIPE = EstimatorRecipe(RandomForestClassifier(50))
CONTROLS = 600


@functools.cache
def arrays(forget: int = 300, kept: int = 300) -> tuple[Any, Any, Any]:
    """Training data of which the first `forget` rows must go, controls, and a test set; all of `(X, y)`."""
    X, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    order = rng.permutation(len(y))
    X, y = (X[order] / 16).astype(np.float32), y[order].copy()
    first, last = forget + kept, forget + kept + CONTROLS
    for rows in (np.arange(forget), np.arange(first, last)):
        wrong = rng.choice(rows, size=len(rows) // 5, replace=False)
        y[wrong] = (y[wrong] + rng.integers(1, 10, size=len(wrong))) % 10
    return (X[:first], y[:first]), (X[first:last], y[first:last]), (X[last:], y[last:])


def task(folder: Path | str = ".unlearn/cache", forget: int = 300, recipe: Any = RECIPE) -> UnlearningTask:
    """A request with an original and four retrained models."""
    train, controls, test = arrays(forget)
    return UnlearningTask(
        Split(train, forget=np.arange(forget), test=test, controls=controls), recipe, cache_dir=folder
    )
