"""Few-shot linear probes of a layer's features, as attacks.

A method that masks the last layer, or filters the logits, leaves the features as they were. A probe is a linear
classifier that learns from a handful of examples; where it learns better from the audited model's features than from
those of retrained models, the features remember.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pytest_unlearn.attacks.attack import Attack, Pairing, auc_of_scores, scores_of, share_of_scores
from pytest_unlearn.attacks.registry import LEAST_EXAMPLES
from pytest_unlearn.attacks.thresholds import reference_residual, residual_deviation
from pytest_unlearn.core.evidence import Answers, FloatArray, Outputs, Scores
from pytest_unlearn.models.query import Query
from pytest_unlearn.statistics import Measure, RatioMeasure, band

Kept = tuple[NDArray[np.bool_], NDArray[np.bool_]]  # which forget examples and which controls a probe is about
SOURCE = "Golatkar et al. 2020 (readout of features); Goel et al. 2022; the comparison with references is ours"


def column(name: str, number: int, outputs: Outputs) -> FloatArray:
    """Return one column of what a query found."""
    return outputs.asked[name][:, number]


def label_probe(query: Query, number: int, layer: str, among: Kept | None = None) -> tuple[Attack, Attack]:
    """Probe a layer for the forget examples' own labels, beyond references' features.

    As signed residual and as deviation; AUC 0.5 if forgotten. `among` are the examples of classes that something was
    retained of, to teach a probe with; all by default.
    """
    signal = partial(column, query.name, number)
    attack = Attack(
        name=f"label probe {layer}",
        score=_only(among, partial(reference_residual, signal)),
        measure=partial(auc_among, among),
        share=partial(share_among, among),
        access=("weights", "references"),
        least_references=1,
        queries=(query,),
        cost="one pass through every model",
        calibrated=True,
        source=SOURCE,
    )
    deviation = Attack(
        name=f"label probe {layer}, deviation",
        score=_only(among, partial(residual_deviation, signal)),
        measure=partial(auc_among, among),
        signed=False,
        access=attack.access,
        least_references=1,
        queries=(query,),
        cost=attack.cost,
        calibrated=True,
        source=SOURCE,
    )
    return attack, deviation


def class_probe(query: Query, number: int, layer: str, among: Kept | None = None) -> Attack:
    """Probe a layer for a class that went as a whole, beyond references' features.

    Judged over all examples of the class, forget examples and controls alike, by the band that references span: what a
    model knows of a class shows in examples it never saw too. 0.5 if forgotten. `among` are the examples of classes
    that went; all by default.
    """
    return Attack(
        name=f"class probe {layer}",
        score=_only(among, partial(_both_sides, partial(column, query.name, number))),
        measure=band_of_scores,
        share=share_of_bands,
        access=("weights", "references"),
        least_references=2,
        queries=(query,),
        cost="one pass through every model",
        calibrated=True,
        source=SOURCE,
    )


def membership_probe(query: Query, layer: str) -> Attack:
    """Probe a layer for forget examples among controls, beyond references' features.

    Out of fold, as a paired difference to the references. AUC 0.5 if forgotten.
    """
    return Attack(
        name=f"membership probe {layer}",
        score=partial(_membership, query.name),
        measure=auc_of_scores,
        access=("weights", "references"),
        least_references=2,
        least_examples=LEAST_EXAMPLES,
        queries=(query,),
        cost="five logistic regressions a model",
        source=SOURCE,
    )


def band_of_scores(scores: Scores, _: Pairing) -> Measure:
    """Measure the mean normal score over both sides, by the band of the references'."""
    assert scores.reference_forget is not None
    assert scores.reference_controls is not None
    ours = np.concatenate([scores.forget, scores.controls])
    theirs = np.concatenate([scores.reference_forget, scores.reference_controls], axis=1)
    return band(
        float(ours.mean()),
        theirs.mean(axis=1),
        as_auc=True,
        n_forget=len(scores.forget),
        n_controls=len(scores.controls),
    )


def _only(among: Kept | None, score: Callable[..., Scores]) -> Callable[..., Scores]:
    return score if among is None else partial(_scored_among, among, score)


def _scored_among(
    among: Kept, score: Callable[..., Scores], target: Answers, references: Sequence[Answers], pairing: Pairing
) -> Scores:
    return score(_part(among, target), [_part(among, one) for one in references], _paired(among, pairing))


def auc_among(among: Kept | None, scores: Scores, pairing: Pairing) -> Measure:
    """Measure the AUC among the examples that a probe is about."""
    return auc_of_scores(scores, pairing if among is None else _paired(among, pairing))


def share_among(among: Kept | None, scores: Scores, original: Scores, pairing: Pairing) -> Measure:
    """Measure the share left among the examples that a probe is about."""
    return share_of_scores(scores, original, pairing if among is None else _paired(among, pairing))


def share_of_bands(scores: Scores, original: Scores, pairing: Pairing) -> Measure:
    """Measure the share left of the distance from the middle of the references' band."""
    return RatioMeasure(band_of_scores(scores, pairing), band_of_scores(original, pairing), 0.5)


def _paired(among: Kept, pairing: Pairing) -> Pairing:
    return pairing.among_forget(among[0]).among_controls(np.flatnonzero(among[1]))


def _part(among: Kept, answers: Answers) -> Answers:
    forget, controls = among
    return Answers(forget=answers.forget.take(forget), controls=answers.controls.take(controls))


def _both_sides(
    signal: partial[FloatArray],
    target: Answers,
    references: Sequence[Answers],
    pairing: Pairing,  # noqa: ARG001
) -> Scores:
    forget, controls = signal(target.forget), signal(target.controls)
    return Scores(
        forget=forget,
        controls=controls,
        tie_share=0.0 if forget.any() or controls.any() else 1.0,  # all in the very middle: features that do not vary
        reference_forget=np.array([signal(one.forget) for one in references]),
        reference_controls=np.array([signal(one.controls) for one in references]),
    )


def _membership(name: str, target: Answers, references: Sequence[Answers], _: Pairing) -> Scores:
    return scores_of([(one.forget.asked[name], one.controls.asked[name]) for one in (target, *references)])
