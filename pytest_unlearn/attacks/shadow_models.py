"""Teach classifiers on other models how members and non-members are answered.

Source: Shokri et al. 2017, "Membership inference attacks against machine learning models". The references are the
shadow models: they were trained on retain, and never saw the forget set or the controls. One classifier a class
looks at the posterior of the label and the largest others. Kept for comparison: it sees no difficulty of examples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pytest_unlearn.attacks.attack import Pairing, scores_of
from pytest_unlearn.attacks.signals import logit_scaled_confidence, negative_entropy, probabilities
from pytest_unlearn.core.evidence import Answers, FloatArray, IntArray, Outputs, Scores
from pytest_unlearn.core.threads import on_one_thread

TOP = 3
FLOOR = 1e-12
FEWEST = 5  # members and non-members that a class needs for a classifier of its own


def shadow_models(target: Answers, references: Sequence[Answers], pairing: Pairing) -> Scores:
    """Score examples by classifiers of the references. Target: the references' AUC.

    A reference is judged by classifiers taught on the others; the audited model by those of all but the first, so
    that both had as many teachers.

    Raises:
        ValueError: fewer than two references, or references that were not asked about the retain set.
    """
    if len(references) < 2 or any(reference.retain is None for reference in references):
        raise ValueError("the shadow-model attack needs two references or more, and their answers on the retain set")
    found = [_scores(target, _teach(references[1:]))]
    found += [_scores(one, _teach([*references[:k], *references[k + 1 :]])) for k, one in enumerate(references)]
    return scores_of(found, tie_share=pairing.tie_share(*found[0]))


def _scores(answers: Answers, classifiers: dict[int, Any]) -> tuple[FloatArray, FloatArray]:
    forget, controls = (
        _membership(_posterior(part), part.labels, classifiers) for part in (answers.forget, answers.controls)
    )
    return forget, controls


@on_one_thread
def _teach(shadows: Sequence[Answers]) -> dict[int, Any]:
    """Fit a classifier for each class, and under -1 one for classes with few."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    parts = [(part, part is shadow.retain) for shadow in shadows for part in _parts(shadow)]
    member = np.concatenate([np.full(len(part.labels), trained) for part, trained in parts])
    rows, labels = (
        np.concatenate(x) for x in zip(*((_posterior(part), part.labels) for part, _ in parts), strict=True)
    )
    classifiers = {}
    for label in (-1, *np.unique(labels).tolist()):
        chosen = np.full(len(labels), True) if label == -1 else labels == label
        if min(member[chosen].sum(), (~member[chosen]).sum()) >= FEWEST:
            model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000))
            classifiers[label] = model.fit(rows[chosen], member[chosen])
    return classifiers


def _parts(shadow: Answers) -> list[Outputs]:
    return [part for part in (shadow.retain, shadow.forget, shadow.controls) if part is not None]


def _membership(rows: FloatArray, labels: IntArray, classifiers: dict[int, Any]) -> FloatArray:
    scores = np.zeros(len(labels))
    for label in np.unique(labels).tolist():
        chosen = labels == label
        judge = classifiers.get(label, classifiers.get(-1))
        if judge is not None:
            scores[chosen] = judge.decision_function(rows[chosen])
    return scores


def _posterior(outputs: Outputs) -> FloatArray:
    """Return log-odds, the largest log-probabilities in order, and the entropy."""
    p = probabilities(outputs)
    return np.column_stack(
        [
            logit_scaled_confidence(outputs),
            np.log(np.maximum(-np.sort(-p, axis=1)[:, :TOP], FLOOR)),
            negative_entropy(outputs),
        ]
    )
