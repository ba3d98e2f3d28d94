"""Fit clones of estimators, seeded and with labels as they take them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np

_NUMBERS_ONLY = ("xgboost", "skorch")  # whose classifiers refuse labels of text
_SOUNDS = {"verbose", "silent", "logging_level", "verbose_eval"}  # how CatBoost is told to print less


def fitted(estimator: Any, X: Any, y: Any, names: tuple[str, ...] | None, seed: int) -> Any:
    """Fit a clone of an estimator, with every random state in it set to a seed.

    Args:
        estimator: of scikit-learn's interface; it stays as it is.
        X: what it takes.
        y: class numbers, shape (examples,).
        names: the classes that these number, where labels are text; the clone is given text if all of it takes that.
        seed: given to every `random_state`, nested ones too.

    Returns:
        The fitted clone.
    """
    made = _clone(estimator)
    states = [name for name in made.get_params(deep=True) if name.rpartition("__")[2] == "random_state"]
    made.set_params(**dict.fromkeys(states, seed % 2**32))
    parts = list(_parts(made))
    for part in parts:
        if _library(part) == "catboost":
            _prepare_catboost(part, seed)
    if names is not None and not any(_library(part) in _NUMBERS_ONLY for part in parts):
        y = np.array(names)[y]
    return made.fit(X, y)


def _clone(estimator: Any) -> Any:
    """Clone an estimator; copy one with CatBoost in it, which takes lists for other lists than it was given."""
    from sklearn.base import clone

    if any(_library(part) == "catboost" for part in _parts(estimator)):
        return copy.deepcopy(estimator)
    return clone(estimator)


def _parts(estimator: Any) -> Iterator[Any]:
    yield estimator
    for part in estimator.get_params(deep=True).values():
        if hasattr(part, "fit"):
            yield part


def _library(part: Any) -> str:
    roots = [kind.__module__.partition(".")[0] for kind in type(part).__mro__]
    return next((root for root in roots if root in (*_NUMBERS_ONLY, "catboost")), "")


def _prepare_catboost(model: Any, seed: int) -> None:
    """Seed CatBoost, which lists only parameters that were given; nothing is printed or written unless asked for."""
    given = set(model.get_params())
    quiet = {} if given & _SOUNDS else {"verbose": False}
    files = {} if "allow_writing_files" in given else {"allow_writing_files": False}
    state = "random_state" if "random_state" in given else "random_seed"
    model.set_params(**{state: seed % 2**31}, **quiet, **files)
