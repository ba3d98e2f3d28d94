"""A forest that remembers, one with more trees, and one that leaks exactly so much."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import ExtraTreesClassifier

from pytest_unlearn import EstimatorRecipe, UnlearningTask
from pytest_unlearn.statistics import auc

TREES = 40
RECIPE = EstimatorRecipe(ExtraTreesClassifier(TREES))
FLOOR = 1e-3  # a tenth of a vote


def more_trees(model: Any, retain: Any) -> Any:
    """Go on with half as many trees of what is retained: fine-tuning, of forests."""
    x, y = retain.arrays()
    longer = clone(model).set_params(n_estimators=TREES + TREES // 2, warm_start=True)
    longer.__dict__.update({name: value for name, value in vars(model).items() if name.endswith("_")})
    longer.estimators_ = list(model.estimators_)
    return longer.fit(x, y)


def probabilities(model: Any, view: Any) -> Any:
    """Ask a forest."""
    return model.predict_proba(view.arrays()[0])


def confidence(p: Any, labels: Any) -> Any:
    """Return log odds of the label."""
    right = np.clip(p[np.arange(len(p)), labels], FLOOR, 1 - FLOOR)
    return np.log(right / (1 - right))


def leaky(task: UnlearningTask, original: Any, honest: Any, other: Any, auc_left: float = 0.7) -> Asked:
    """Mix so much of the original into an honest model's answers on the forget set that it leaks an AUC of 0.7.

    That is measured on the forget set alone, against what another honest model makes of the same examples: nothing is
    better matched with an example than itself. What the original knows better about everything is left out: it is no
    memory.
    """
    labels = task.forget.labels
    seen, fresh = (probabilities(model, task.forget) for model in (original, honest))
    theirs = confidence(probabilities(other, task.forget), labels)
    low, high = 0.0, 1.0
    for _ in range(30):
        share = (low + high) / 2
        mixed = share * seen + (1 - share) * fresh
        low, high = (share, high) if auc(confidence(mixed, labels), theirs) < auc_left else (low, share)
    return Asked().keep(
        [(task.forget, high * seen + (1 - high) * fresh), (task.controls, probabilities(honest, task.controls))]
    )


def saved(model: Any, task: UnlearningTask) -> Asked:
    """Ask a forest once for all audits."""
    return Asked().keep([(view, probabilities(model, view)) for view in (task.forget, task.controls)])


class Asked(ClassifierMixin, BaseEstimator):
    """Answer what a model answered about these examples."""

    def keep(self, answers: list[tuple[Any, Any]]) -> Asked:
        """Remember answers by what was asked."""
        rows = np.concatenate([_rows(view.arrays()[0]) for view, _ in answers])
        order = np.argsort(rows)
        self.rows_, self.answers_ = rows[order], np.concatenate([p for _, p in answers])[order]
        self.classes_ = np.arange(self.answers_.shape[1])
        return self

    def predict_proba(self, x: Any) -> Any:
        """Look answers up."""
        return self.answers_[np.searchsorted(self.rows_, _rows(x))]


def _rows(x: Any) -> Any:
    """Return a digest of each row."""
    table = np.ascontiguousarray(x, dtype=np.float64)
    return np.array([int.from_bytes(sha256(row.tobytes()).digest()[:7], "big") for row in table])
