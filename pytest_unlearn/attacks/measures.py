"""How attacks are judged: the measures of their scores, all on the AUC scale with 0.5 as the target."""

from __future__ import annotations

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


def gap_of_scores(scores: Scores, pairing: Pairing) -> Measure:
    """Share of ones on forget minus that on controls, relative to the references', as an AUC."""
    return accuracy_gap(
        scores.forget, scores.controls, scores.reference_forget, scores.reference_controls, **pairing.labels
    )
