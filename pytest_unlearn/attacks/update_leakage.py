"""Attack with both models: what the original and the unlearned one betray.

Source: Chen et al. 2021, "When machine unlearning jeopardizes privacy". It succeeds against exact retraining as well,
since a forget example is one on which the two models differ: so its AUC is a risk of releasing both, and only its
excess over the pairs (original, retrained) tells anything about the method. Even that is unfair to a model that shares
its seed, or its starting weights, with the original: what they share cancels in their difference, and not in that to a
reference. So the excess accuses only a model that is as far from the original, on controls, as references are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pytest_unlearn.attacks.attack import Pairing, scores_of
from pytest_unlearn.attacks.learned import cross_fitted, normal_columns
from pytest_unlearn.attacks.signals import logit_scaled_confidence, probabilities
from pytest_unlearn.core.evidence import Answers, FloatArray, Outputs, Scores

AS_FAR = 0.95  # of the smallest spread that references have around the original
_Sides = tuple[FloatArray, FloatArray]
TOP = 3  # posteriors in the original's order that the learned attack looks at


def update_leakage(target: Answers, references: Sequence[Answers], pairing: Pairing) -> Scores:
    """Score by the fall of confidence. Target: what retraining gives, not 0.5.

    Raises:
        ValueError: where the original's answers are not at hand.
    """
    original = _original(target)
    drops = [_drop(original, answers) for answers in (target, *references)]
    return _judged(drops, pairing, drops)


def learned_update_leakage(target: Answers, references: Sequence[Answers], pairing: Pairing) -> Scores:
    """Score by a cross-fitted classifier on both models' posteriors.

    Posteriors are in the original's order, beside their distance.

    Raises:
        ValueError: where the original's answers are not at hand.
    """
    original = _original(target)
    drops = [_drop(original, answers) for answers in (target, *references)]
    found = []
    for answers in (target, *references):
        pairs = [(original.forget, answers.forget), (original.controls, answers.controls)]
        rows = np.concatenate([_posteriors(*pair) for pair in pairs])
        found.append(cross_fitted(normal_columns(rows), len(answers.forget.labels), pairing))
    return _judged(found, pairing, drops)


def release_risk(scores: Scores) -> Scores:
    """Drop the references: the plain AUC is the risk of releasing both models."""
    return replace(scores, reference_forget=None, reference_controls=None)


def _original(target: Answers) -> Answers:
    if target.original is None:
        raise ValueError("update leakage compares two releases: it needs the original model's answers too")
    return target.original


def _drop(original: Answers, answers: Answers) -> tuple[FloatArray, FloatArray]:
    forget, controls = (
        logit_scaled_confidence(before) - logit_scaled_confidence(after)
        for before, after in ((original.forget, answers.forget), (original.controls, answers.controls))
    )
    return forget, controls


def _posteriors(before: Outputs, after: Outputs) -> FloatArray:
    """Return Chen's sorted difference, its length, and both confidences."""
    first, second = probabilities(before), probabilities(after)
    order = np.argsort(-first, axis=1, kind="stable")[:, :TOP]
    change = first - second
    return np.column_stack(
        [
            np.take_along_axis(change, order, axis=1),
            np.linalg.norm(change, axis=1),
            logit_scaled_confidence(before),
            logit_scaled_confidence(after),
            logit_scaled_confidence(before) - logit_scaled_confidence(after),
        ]
    )


def _judged(found: list[_Sides], pairing: Pairing, drops: list[_Sides]) -> Scores:
    return scores_of(found, tie_share=pairing.tie_share(*found[0]), unfair=_unfair(drops))


def _unfair(drops: list[_Sides]) -> str:
    mine, *others = (float(controls.std()) for _, controls in drops)
    if not others or mine >= AS_FAR * min(others):
        return ""
    return (
        f"on controls this model differs from the original by {mine:.2g}, retrained models by {min(others):.2g} or "
        "more: what it shares with the original makes the comparison unfair"
    )
