"""Regress the statistic on inputs and labels of controls; needs no reference.

Source: Bertran et al. 2023, "Scalable membership inference attacks via quantile regression", with a Gaussian head: a
regression on non-members predicts mean and deviation of the model's statistic from the input and its label. The
standardised statistic orders examples as the attack at every level does. The regression is cross-fitted on the
controls: a control is never scored by a fit that has seen it, and a forget example by fits of the same size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pytest_unlearn.attacks.attack import Pairing, Signal
from pytest_unlearn.core.evidence import Answers, FloatArray, Scores

INPUTS = "inputs"  # the query it needs
TREES = 40
LEAF = 5
MOST_FITTED = 4000


def quantile_regression(signal: Signal, target: Answers, _: Sequence[Answers], pairing: Pairing) -> Scores:
    """Compare the statistic with what the input predicts: AUC 0.5 if forgotten."""
    values = signal(target.forget), signal(target.controls)
    rows = [np.column_stack([part.asked[INPUTS], part.labels]) for part in (target.forget, target.controls)]
    fold = np.split(pairing.folds(len(rows[0]), len(rows[1])), [len(rows[0])])
    scores = [np.zeros(len(part)) for part in values]
    for number in np.unique(np.concatenate(fold)):
        fitted = np.flatnonzero(fold[1] != number)
        fitted = fitted[:: -(-len(fitted) // MOST_FITTED)]
        law = _Law(rows[1][fitted], values[1][fitted])
        for score, value, row, where in zip(scores, values, rows, fold, strict=True):
            held = where == number
            if held.any():
                score[held] = law.standardised(row[held], value[held])
    return Scores(forget=scores[0], controls=scores[1], tie_share=pairing.tie_share(*values))


class _Law:
    """Predict mean and deviation of a statistic, from out-of-bag errors."""

    def __init__(self, rows: FloatArray, values: FloatArray) -> None:
        self._mean = _forest().fit(rows, values)
        errors = np.abs(values - np.nan_to_num(self._mean.oob_prediction_, nan=float(values.mean())))
        self._deviation = _forest().fit(rows, errors)
        self._least = max(1e-3 * float(errors.mean()), np.finfo(np.float64).tiny)

    def standardised(self, rows: FloatArray, values: FloatArray) -> FloatArray:
        deviation = np.maximum(self._deviation.predict(rows), self._least)
        return np.asarray((values - self._mean.predict(rows)) / deviation)


def _forest() -> Any:
    from sklearn.ensemble import RandomForestRegressor

    return RandomForestRegressor(
        TREES, min_samples_leaf=LEAF, max_features=0.3, oob_score=True, bootstrap=True, random_state=0
    )
