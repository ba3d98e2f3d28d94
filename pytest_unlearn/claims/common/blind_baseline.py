"""Blind baseline: forget examples against controls without any model.

If they can, an attack's success says nothing about the model. Source: Das, Zhang and Tramer 2024, "Blind baselines beat
membership inference attacks for foundation models".
"""

from __future__ import annotations

import numpy as np

from pytest_unlearn.claims.common.inputs import AuditInputs
from pytest_unlearn.claims.common.propensity import features, once, plausibility
from pytest_unlearn.core.evidence import ControlResult, Estimate, FloatArray, IntArray
from pytest_unlearn.data.view import View
from pytest_unlearn.statistics import Measure, auc_measure, folds, out_of_fold, rank_within_folds

TREES = 60
MOST_CONTROLS = 2000


def blind_baseline(inputs: AuditInputs, seed: int = 0) -> Measure:
    """Measure the AUC of a classifier that sees raw inputs and labels alone.

    Cross-fitted, forget against controls (target 0.5). Inputs are flattened; a label counts as it is and by how
    plausible a simple classifier finds it (mislabelled examples show). Scores are ranked within their fold.
    """
    strata = inputs.pairing.control_strata
    chosen = _subset(inputs.controls.labels if strata is None else strata, MOST_CONTROLS, seed)
    controls = View(inputs.controls.name, inputs.controls.examples, inputs.controls.indices[chosen], inputs.task)
    pairing = inputs.pairing.among_controls(chosen)
    rows, labels = features(inputs.forget, controls)
    member = np.r_[np.ones(len(inputs.forget), dtype=int), np.zeros(len(controls), dtype=int)]
    units = pairing.units(len(inputs.forget), len(controls))
    scores = once(_scores, rows, labels, member, units, np.array(seed))
    return auc_measure(scores[member == 1], scores[member == 0], **pairing.labels)


def _scores(rows: FloatArray, labels: IntArray, member: IntArray, units: IntArray | None, seed: IntArray) -> FloatArray:
    plausible = plausibility(rows, labels, folds(labels, units, seed=int(seed)), int(seed))
    table = np.column_stack([rows, plausible, labels])
    return cross_fitted(table, member, folds(member, units, seed=int(seed)), int(seed))


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


def _subset(strata: IntArray, most: int, seed: int) -> IntArray:
    """Choose positions: all, or a draw with every stratum in it."""
    if len(strata) <= most:
        return np.arange(len(strata))
    order = np.random.default_rng(seed).permutation(len(strata))
    first_of_stratum = np.unique(strata[order], return_index=True)[1]
    return np.unique(np.r_[order[:most], order[first_of_stratum]])


def cross_fitted(table: FloatArray, member: IntArray, fold: IntArray, seed: int) -> FloatArray:
    """Score each row out of fold by how likely it is a member, ranked in its fold."""
    from sklearn.ensemble import RandomForestClassifier

    def score(fitted: IntArray, held: IntArray) -> FloatArray:
        model = RandomForestClassifier(TREES, min_samples_leaf=3, class_weight="balanced", random_state=seed)
        return np.asarray(model.fit(table[fitted], member[fitted]).predict_proba(table[held])[:, -1])

    return rank_within_folds(out_of_fold(fold, score), fold)
