"""Let a classifier combine the signals, judged on examples it was not fitted on.

The classifier learns from forget examples and controls themselves: in the original's answers, where there are any,
since there it sees what membership looks like, and its noise is not the audited model's; else in the model's own.
Scores are out of fold and ranked within their fold; units of deletion are never torn apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pytest_unlearn.attacks.attack import Pairing, Signal, scores_of
from pytest_unlearn.attacks.signals import (
    correctness,
    hinge_margin,
    log_probability,
    logit_scaled_confidence,
    negative_entropy,
    negative_modified_entropy,
)
from pytest_unlearn.core.evidence import Answers, FloatArray, IntArray, Scores
from pytest_unlearn.core.threads import on_one_thread
from pytest_unlearn.statistics import normal_scores, out_of_fold, rank_within_folds

SIGNALS: tuple[Signal, ...] = (
    logit_scaled_confidence,
    hinge_margin,
    negative_entropy,
    negative_modified_entropy,
    correctness,
)
STRENGTH = 0.1  # of the classifier's regularisation (scikit-learn's C): there are few examples and many features


def learned_attack(target: Answers, references: Sequence[Answers], pairing: Pairing) -> Scores:
    """Score examples by the best combination of all signals: AUC 0.5 if forgotten.

    Features are the model's signals and, where there are references, their means and the differences to them, each as
    a normal score among all examples and squared, so that both directions and deviations are seen.
    """
    own, taught = (_expanded(model, references) for model in (target, target.original or target))
    scores = cross_fitted(own, len(target.forget.labels), pairing, taught)
    mine = [logit_scaled_confidence(part) for part in (target.forget, target.controls)]
    return Scores(forget=scores[0], controls=scores[1], tie_share=pairing.tie_share(mine[0], mine[1]))


def starting_kit_attack(target: Answers, references: Sequence[Answers], pairing: Pairing) -> Scores:
    """Accuse examples by a logistic regression on the loss: 0.5 if forgotten.

    As in the NeurIPS-2023 starting kit, but for weights in place of subsampling and folds in place of ten overlapping
    splits. Scores are 0 and 1; the AUC of these is the balanced accuracy.
    """
    return scores_of([_accused(answers, pairing) for answers in (target, *references)])


def cross_fitted(
    features: FloatArray, n_forget: int, pairing: Pairing, taught: FloatArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """Score forget examples (the first rows) and controls out of fold, as ranks.

    `taught` are another model's features of the same examples, to learn from in their place.
    """
    lessons = features if taught is None else taught
    member = (np.arange(len(features)) < n_forget).astype(np.int64)
    fold = pairing.folds(n_forget, len(features) - n_forget)
    scores = out_of_fold(
        fold, lambda fitted, held: _fit(lessons[fitted], member[fitted]).decision_function(features[held])
    )
    scores = rank_within_folds(scores, fold)
    return scores[:n_forget], scores[n_forget:]


def normal_columns(features: FloatArray) -> FloatArray:
    """Turn each column into normal scores among all examples."""
    columns = np.ascontiguousarray(features.T)
    order = np.argsort(columns, axis=1)
    ranked = np.take_along_axis(columns, order, axis=1)
    spread = normal_scores(np.arange(len(features)), np.arange(len(features)))  # of any column without ties
    scores = np.empty(columns.shape)
    np.put_along_axis(scores, order, np.broadcast_to(spread, columns.shape), axis=1)
    for tied in np.flatnonzero((ranked[:, 1:] == ranked[:, :-1]).any(axis=1)):
        scores[tied] = normal_scores(columns[tied], columns[tied])
    return np.ascontiguousarray(scores.T)


def _expanded(model: Answers, references: Sequence[Answers]) -> FloatArray:
    ranked = normal_columns(np.concatenate([_features(side, model, references) for side in ("forget", "controls")]))
    return np.column_stack([ranked, ranked**2 - 1.0])


def _features(side: str, target: Answers, references: Sequence[Answers]) -> FloatArray:
    own = getattr(target, side)
    columns = [signal(own) for signal in SIGNALS]
    extra = [name for name, values in sorted(own.asked.items()) if values.ndim == 1]
    columns += [own.asked[name] for name in extra]
    if references:
        parts = [getattr(reference, side) for reference in references]
        means = [np.mean([signal(part) for part in parts], axis=0) for signal in SIGNALS]
        means += [np.mean([part.asked[name] for part in parts], axis=0) for name in extra]
        columns += [*means, *(mine - mean for mine, mean in zip(columns, means, strict=True))]
    return np.column_stack(columns)


def _accused(answers: Answers, pairing: Pairing) -> tuple[FloatArray, FloatArray]:
    loss = -np.concatenate([log_probability(part) for part in (answers.forget, answers.controls)])[:, None]
    count = len(answers.forget.labels)
    member = (np.arange(len(loss)) < count).astype(np.int64)
    scores = out_of_fold(
        pairing.folds(count, len(loss) - count),
        lambda fitted, held: _fit(loss[fitted], member[fitted], 1.0).predict(loss[held]),
    )
    return scores[:count], scores[count:]


@on_one_thread
def _fit(features: FloatArray, member: IntArray, strength: float = STRENGTH) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=strength, class_weight="balanced", max_iter=1000).fit(features, member)
