"""How attacks are judged: the measures of their scores, all on the AUC scale with 0.5 as the target."""

from __future__ import annotations

from dataclasses import replace

from pytest_unlearn.attacks.setting import Pairing
from pytest_unlearn.evidence import Scores
from pytest_unlearn.statistics import Measure, accuracy_gap, auc_difference, auc_measure


def auc_of_scores(scores: Scores, pairing: Pairing) -> Measure:
    """AUC of forget against controls; the paired difference to the references where their scores are kept."""
    if scores.reference_forget is None or scores.reference_controls is None:
        return auc_measure(scores.forget, scores.controls, **pairing.labels)
    return auc_difference(
        scores.forget, scores.controls, scores.reference_forget, scores.reference_controls, **pairing.labels
    )


def cross_fitted_auc(scores: Scores, pairing: Pairing) -> Measure:
    """AUC of scores that were learned from the very examples they tell apart, out of fold; with twice the variance.

    What the fold A taught of B says much the same as what B taught of A: where there is nothing to learn, the mean over
    folds is a degenerate U-statistic, in which each pair of folds counts twice.
    """
    measure = auc_measure(scores.forget, scores.controls, **pairing.labels)
    return replace(
        measure,
        forget_variance=2.0 * measure.forget_variance,
        control_variance=2.0 * measure.control_variance,
        covariance=2.0 * measure.covariance,
        null_error=2.0**0.5 * measure.null_error,
    )


def cross_fitted_gap(scores: Scores, pairing: Pairing) -> Measure:
    """The same of scores that are 0 and 1; relative to the references', where there are any, whose spread is in it."""
    return cross_fitted_auc(scores, pairing) if scores.reference_forget is None else gap_of_scores(scores, pairing)


def gap_of_scores(scores: Scores, pairing: Pairing) -> Measure:
    """Share of ones on forget minus that on controls, relative to the references', as an AUC."""
    return accuracy_gap(
        scores.forget, scores.controls, scores.reference_forget, scores.reference_controls, **pairing.labels
    )
