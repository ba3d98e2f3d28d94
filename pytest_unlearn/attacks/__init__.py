"""Attacks: outputs and references -> scores, each declared with the statistic that judges it. The tables are below.

PASS needs every attack of the deciding set within the limit; a tripwire is reported and can only make a verdict FAIL.
All attacks are stated on the AUC scale, where 0.5 is the target, and none is ever flipped after seeing its value.
"""

from __future__ import annotations

from functools import partial

from pytest_unlearn.attacks.reference_difference import reference_difference
from pytest_unlearn.attacks.reference_residual import reference_residual, residual_deviation
from pytest_unlearn.attacks.setting import Attack, Pairing, Signal
from pytest_unlearn.attacks.signals import (
    correctness,
    hinge_margin,
    logit_scaled_confidence,
    negative_entropy,
    negative_modified_entropy,
)
from pytest_unlearn.attacks.single_model import single_model
from pytest_unlearn.evidence import Scores
from pytest_unlearn.statistics import Measure, accuracy_gap, auc_difference, auc_measure

__all__ = ["LABEL_ONLY", "Attack", "Pairing", "deciding_set", "tripwires"]


def _auc(scores: Scores, pairing: Pairing) -> Measure:
    """AUC of forget against controls; the paired difference to the references where their scores are kept."""
    if scores.reference_forget is None or scores.reference_controls is None:
        return auc_measure(scores.forget, scores.controls, **pairing.labels)
    return auc_difference(
        scores.forget,
        scores.controls,
        scores.reference_forget,
        scores.reference_controls,
        **pairing.labels,
    )


def _gap(scores: Scores, pairing: Pairing) -> Measure:
    """Accuracy on forget minus accuracy on controls, relative to the references', as an AUC."""
    return accuracy_gap(
        scores.forget,
        scores.controls,
        scores.reference_forget,
        scores.reference_controls,
        **pairing.labels,
    )


def _residuals(name: str, signal: Signal) -> tuple[Attack, Attack]:
    return (
        Attack(name=f"{name} residual", score=partial(reference_residual, signal), measure=_auc),
        Attack(name=f"{name} deviation", score=partial(residual_deviation, signal), measure=_auc, signed=False),
    )


def _single(name: str, signal: Signal) -> Attack:
    return Attack(name=name, score=partial(single_model, signal), measure=_auc)


CONFIDENCE = _single("confidence", logit_scaled_confidence)
MARGIN = _single("margin", hinge_margin)
ENTROPY = _single("entropy", negative_entropy)
MODIFIED_ENTROPY = _single("modified entropy", negative_modified_entropy)
LABEL_ONLY = Attack(name="label only", score=partial(single_model, correctness), measure=_gap)
DIFFERENCE = Attack(
    name="confidence difference", score=partial(reference_difference, logit_scaled_confidence), measure=_auc
)
CONFIDENCE_RESIDUALS = _residuals("confidence", logit_scaled_confidence)
MARGIN_RESIDUALS = _residuals("margin", hinge_margin)


def deciding_set(*, references: bool, classes: int) -> tuple[Attack, ...]:
    """The attacks that PASS depends on. For two classes margin and confidence coincide and count once."""
    if not references:
        return (CONFIDENCE, MODIFIED_ENTROPY)
    return CONFIDENCE_RESIDUALS if classes == 2 else (*CONFIDENCE_RESIDUALS, *MARGIN_RESIDUALS)


def tripwires(*, references: bool, classes: int) -> tuple[Attack, ...]:
    """The attacks that can only make a verdict FAIL. Label-only moves to the deciding set when most pairs tie."""
    if not references:
        return (ENTROPY, LABEL_ONLY) if classes == 2 else (MARGIN, ENTROPY, LABEL_ONLY)
    return (DIFFERENCE, CONFIDENCE, ENTROPY, MODIFIED_ENTROPY, LABEL_ONLY)
