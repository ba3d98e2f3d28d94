"""Blind baseline: forget examples against controls without any model.

If they can, an attack's success says nothing about the model. Source: Das, Zhang and Tramer 2024, "Blind baselines beat
membership inference attacks for foundation models".
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_unlearn.claims.common.inputs import AuditInputs
from pytest_unlearn.core.evidence import ControlResult, Estimate, FloatArray, IntArray
from pytest_unlearn.data.tables import concatenate, is_frame, numbers, without_column
from pytest_unlearn.data.view import View
from pytest_unlearn.statistics import Measure, auc_measure, folds, out_of_fold, rank_within_folds

TREES = 30
MOST_CONTROLS = 2000
MOST_FEATURES = 4096


def blind_baseline(inputs: AuditInputs, seed: int = 0) -> Measure:
    """Measure the AUC of a classifier that sees raw inputs and labels alone.

    Cross-fitted, forget against controls (target 0.5). Inputs are flattened; a label counts as it is and by how
    plausible a simple classifier finds it (mislabelled examples show). Scores are ranked within their fold.
    """
    chosen = _subset(inputs.controls, MOST_CONTROLS, seed)
    controls = View(inputs.controls.name, inputs.controls.examples, inputs.controls.indices[chosen], inputs.task)
    pairing = inputs.pairing.among_controls(chosen)
    rows, labels = _features(inputs.forget, controls)
    member = np.r_[np.ones(len(inputs.forget), dtype=int), np.zeros(len(controls), dtype=int)]
    units = pairing.units(len(inputs.forget), len(controls))
    plausible = _plausibility(rows, labels, folds(labels, units, seed=seed), seed)
    scores = cross_fitted(np.column_stack([rows, plausible, labels]), member, folds(member, units, seed=seed), seed)
    return auc_measure(scores[member == 1], scores[member == 0], **pairing.labels)


def blind_control(inputs: AuditInputs, limit: float, confidence: float) -> ControlResult:
    """Build the blind control: it holds unless it surely tells the sets apart."""
    return blind_result(blind_baseline(inputs).at(confidence), limit)


def blind_result(estimate: Estimate, limit: float) -> ControlResult:
    """Make the blind control of an AUC that was found without any model."""
    holds = estimate.low <= limit
    tells = "does not tell" if holds else "tells"
    return ControlResult(
        name="blind baseline",
        holds=holds,
        attack="blind classifier",
        estimate=estimate,
        summary=f"a classifier that never saw a model {tells} the forget set from the controls "
        f"(AUC {estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}])",
    )


def _subset(view: View, most: int, seed: int) -> IntArray:
    """Choose positions in the view: all, or a draw with every class in it."""
    if len(view) <= most:
        return np.arange(len(view))
    order = np.random.default_rng(seed).permutation(len(view))
    first_of_class = np.unique(view.labels[order], return_index=True)[1]
    return np.unique(np.r_[order[:most], order[first_of_class]])


def _features(forget: View, controls: View) -> tuple[FloatArray, IntArray]:
    views = (forget, controls)
    rows = numbers(concatenate([_without_ids(view) for view in views]))
    step = -(-rows.shape[1] // MOST_FEATURES)
    return rows[:, ::step], np.concatenate([view.labels for view in views])


def _without_ids(view: View) -> Any:
    """Return the inputs but for whose they are: ids tell persons apart, and not what they are like."""
    inputs = view.arrays()[0]
    named = view.task.split.group_column if view.task is not None else None
    return inputs if named is None or not is_frame(inputs) else without_column(inputs, named)


def _plausibility(rows: FloatArray, labels: IntArray, fold: IntArray, seed: int) -> FloatArray:
    """Score each example's own label out of fold by a simple classifier."""
    from sklearn.ensemble import RandomForestClassifier

    def score(fitted: IntArray, held: IntArray) -> FloatArray:
        model = RandomForestClassifier(TREES, min_samples_leaf=2, random_state=seed).fit(rows[fitted], labels[fitted])
        columns = {label: column for column, label in enumerate(model.classes_)}
        p = model.predict_proba(rows[held])
        return np.array([p[i, columns[label]] if label in columns else 0.0 for i, label in enumerate(labels[held])])

    return out_of_fold(fold, score)


def cross_fitted(table: FloatArray, member: IntArray, fold: IntArray, seed: int) -> FloatArray:
    """Score each row out of fold by how likely it is a member, ranked in its fold."""
    from sklearn.ensemble import RandomForestClassifier

    def score(fitted: IntArray, held: IntArray) -> FloatArray:
        model = RandomForestClassifier(2 * TREES, min_samples_leaf=3, class_weight="balanced", random_state=seed)
        return np.asarray(model.fit(table[fitted], member[fitted]).predict_proba(table[held])[:, -1])

    return rank_within_folds(out_of_fold(fold, score), fold)
