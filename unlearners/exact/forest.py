"""Fit forests that forget rows exactly, with the interface of scikit-learn."""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_array, check_is_fitted, check_X_y

from unlearners.exact.arrays import Array
from unlearners.exact.tree import Growth, Table, Tree, shares


class UnlearnableForestClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Average randomised trees from which rows can be deleted exactly.

    `without(rows)` is bit for bit the forest that `fit` gives on what is left with the same `random_state`, as every
    node draws from its own part of a tape of random numbers (see `Tree`); over random states it has the law of a
    retraining. The forest holds its training rows, deleted ones overwritten by zeros.

    n_estimators: how many trees; all see all rows, as bootstraps could not be deleted from alone.
    random_depth, max_features, thresholds: levels of random splits; features a node chooses among below them (None:
        the root of their number), and thresholds for each feature.
    max_depth, min_samples_split: where a tree ends.
    random_state: an integer. It must stay secret where deletion must.
    """

    def __init__(
        self,
        n_estimators: int = 10,
        *,
        random_depth: int = 0,
        max_features: int | None = None,
        thresholds: int = 1,
        max_depth: int = 20,
        min_samples_split: int = 2,
        random_state: int = 0,
    ) -> None:
        self.n_estimators = n_estimators
        self.random_depth = random_depth
        self.max_features = max_features
        self.thresholds = thresholds
        self.max_depth = max_depth
        self.min_samples_split = min_samples_split
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> UnlearnableForestClassifier:
        """Grow the trees on rows X (n, features) with labels y (n,)."""
        x, y = check_X_y(X, y, dtype=np.float64)
        self.n_features_in_ = x.shape[1]
        self._labels, codes = np.unique(np.asarray(y), return_inverse=True)
        self._table = Table(np.array(x), np.eye(len(self._labels))[codes])
        self._alive = np.ones(len(x), dtype=bool)
        rows = np.arange(len(x))
        self._roots = [tree.grow(self._table, rows) for tree in self._trees()]
        self.classes_ = self._labels
        return self

    def without(self, rows: Any) -> UnlearnableForestClassifier:
        """Return the forest without the training rows of these numbers.

        rows: positions in what `fit` was given, each still there; they do not shift after a deletion.

        Raises: IndexError for a row that is not there, ValueError where none would be left.
        """
        check_is_fitted(self)
        gone = np.unique(np.asarray(rows, dtype=np.intp))
        if len(gone) and (gone[0] < 0 or gone[-1] >= len(self._alive) or not self._alive[gone].all()):
            raise IndexError("without() was given rows that the forest does not hold, or has already forgotten.")
        if len(gone) == self._alive.sum():
            raise ValueError("without() would leave no row: delete the forest.")
        left = copy(self)
        left._labels, left._alive = self._labels.copy(), self._alive.copy()
        left._alive[gone] = False
        before = self._table
        left._roots = [tree.without(root, before, gone) for tree, root in zip(self._trees(), self._roots, strict=True)]
        left._table = Table(before.x.copy(), before.labels.copy())
        left._table.x[gone], left._table.labels[gone] = 0, 0
        left.classes_ = self._labels[left._table.labels.any(0)]
        return left

    def predict_proba(self, X: Any) -> Array:
        """Average the trees' class shares, (rows, classes)."""
        check_is_fitted(self)
        x = check_array(X, dtype=np.float64)
        if x.shape[1] != self.n_features_in_:
            raise ValueError(f"the forest was fitted on {self.n_features_in_} features, and X has {x.shape[1]}.")
        mean: Array = np.mean([shares(root, x) for root in self._roots], axis=0)
        return mean[:, np.isin(self._labels, self.classes_)]

    def predict(self, X: Any) -> NDArray[np.generic]:
        """Name the class of the largest mean share."""
        chosen: NDArray[np.generic] = self.classes_[self.predict_proba(X).argmax(1)]
        return chosen

    def held(self) -> tuple[NDArray[np.intp], Array, NDArray[np.generic]]:
        """Return the rows that are held: their numbers, X and y."""
        check_is_fitted(self)
        rows = np.flatnonzero(self._alive)
        return rows, self._table.x[rows], self._labels[self._table.labels[rows].argmax(1)]

    def _trees(self) -> list[Tree]:
        features = self._table.x.shape[1]
        several = self.max_features or max(1, round(features**0.5))
        growth = Growth(
            self.max_depth, self.min_samples_split, self.random_depth, min(several, features), self.thresholds
        )
        return [Tree(growth, self.random_state, number) for number in range(self.n_estimators)]
