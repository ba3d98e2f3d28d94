"""Run LiRA, the likelihood-ratio attack, against models without the example.

Source: Carlini et al. 2022, "Membership inference attacks from first principles", sections V and VI. Means are means,
not medians as in the public code, and the offline test has one side, as in the paper. Access: outputs and references;
cost: one evaluation of each reference, shared with every other attack. Under exact unlearning its AUC is 0.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from pytest_unlearn.attacks.attack import Pairing, Signal
from pytest_unlearn.attacks.signals import logit_scaled_confidence
from pytest_unlearn.core.evidence import Answers, FloatArray, IntArray, Outputs, Scores

Variance = Literal["auto", "pooled", "each"]
ENOUGH = 32  # references from which an example's own variance is better than the pooled one
AUGMENTATIONS = "augmentations"  # the query behind several answers an example
_LEAST = 1e-12
_BLOCK = 2_000
_LOSS = 1e-4  # at this share of the mean's square, a difference of squares has lost 4 of 16 digits


def offline_lira(
    signal: Signal, target: Answers, references: Sequence[Answers], pairing: Pairing, variance: Variance = "auto"
) -> Scores:
    """Compare confidence with that of models without the example: 0.5 if forgotten."""
    mine, *theirs = [[signal(part) for part in (one.forget, one.controls)] for one in (target, *references)]
    return _against(mine, theirs, pairing.tie_share(*mine), variance)


def augmented_lira(target: Answers, references: Sequence[Answers], pairing: Pairing) -> Scores:
    """Compare confidence on an example and its augmentations: AUC 0.5 if forgotten."""
    mine, *theirs = [[_each_query(part) for part in (one.forget, one.controls)] for one in (target, *references)]
    return _against(mine, theirs, pairing.tie_share(*(part[0] for part in mine)))


def _against(
    mine: list[FloatArray], theirs: list[list[FloatArray]], tie_share: float, variance: Variance = "auto"
) -> Scores:
    """Score a model's statistics on both sides, (..., examples) each, against those of references."""
    references = np.array([np.concatenate(parts, axis=-1) for parts in theirs])
    scores, count = offline_scores(np.concatenate(mine, axis=-1), references, variance=variance), mine[0].shape[-1]
    return Scores(forget=scores[:count], controls=scores[count:], tie_share=tie_share)


def offline_scores(target: FloatArray, references: FloatArray, *, variance: Variance = "auto") -> FloatArray:
    """Standardise the statistic by its law in models without the example.

    Args:
        target: the model's statistic, shape (examples,), or (queries, examples) for several augmentations.
        references: the same of models that were trained without the examples, shape (models, [queries,] examples).
        variance: of an example among models: "pooled" over examples, of "each" its own (from two models), or "auto":
            pooled below 32 models.

    Returns:
        A score for each example, shape (examples,), averaged over queries; higher is more member-like. With K models
        and a shift of d standard deviations its AUC is Phi(d / sqrt(2 (1 + 1/K))).

    Raises:
        ValueError: shapes that do not match, or too few models for the variance asked for.
    """
    target, references = _queries(target, references)
    centre, spread = _law(references, None, variance)
    return np.asarray(((target - centre) / spread).mean(axis=0))


def likelihood_ratios(
    target: FloatArray,
    models: FloatArray,
    with_example: np.ndarray,
    without: np.ndarray,
    *,
    variance: Variance = "auto",
) -> FloatArray:
    """Compare how likely the model's statistic is under two kinds of models.

    Args:
        target: the model's statistic, shape (examples,), or (queries, examples).
        models: the same of models, shape (models, [queries,] examples).
        with_example: which model was trained on which example, shape (models, examples).
        without: which was not, shape (models, examples); a model may be of neither kind.
        variance: as in `offline_scores`; "auto" counts the models of the rarer kind.

    Returns:
        A log-likelihood ratio for each example, shape (examples,), averaged over queries. For given laws a shift of d
        standard deviations makes an AUC of Phi(d / sqrt(2)).

    Raises:
        ValueError: shapes that do not match, or an example that has too few models of a kind.
    """
    target, models = _queries(target, models)
    kinds = [np.asarray(kind, dtype=bool) for kind in (with_example, without)]
    if any(kind.shape != models.shape[::2] for kind in kinds):
        raise ValueError(f"included has shape {kinds[0].shape}, where models and examples are {models.shape[::2]}")
    if variance == "auto":
        rarer = min(kind.sum(axis=0).min() for kind in kinds)
        variance = "each" if rarer >= ENOUGH else "pooled"
    terms = [_log_density(target, *_law(models, kind, variance)) for kind in kinds]
    return np.asarray((terms[0] - terms[1]).mean(axis=0))


def _each_query(outputs: Outputs) -> FloatArray:
    """Return confidence on each example and its augmentations, (queries, examples)."""
    augmented = np.moveaxis(outputs.asked[AUGMENTATIONS], 1, 0)
    moved = (Outputs(logits=logits, labels=outputs.labels) for logits in augmented)
    return np.array([logit_scaled_confidence(one) for one in (outputs, *moved)])


def _queries(target: FloatArray, references: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Give both an axis for queries."""
    target, references = np.asarray(target, dtype=np.float64), np.asarray(references, dtype=np.float64)
    if target.ndim == 1:
        target, references = target[None], references[:, None] if references.ndim == 2 else references
    if references.ndim != 3 or references.shape[1:] != target.shape or not len(references):
        raise ValueError(f"references of shape {references.shape} do not go with a target of shape {target.shape}")
    return target, references


def _law(references: FloatArray, kind: np.ndarray | None, variance: Variance) -> tuple[FloatArray, FloatArray]:
    """Return mean and deviation among the models of one kind, (queries, examples).

    `kind` tells which models are of it, (models, examples); None where all are.
    """
    count = np.full(references.shape[2], len(references)) if kind is None else kind.sum(axis=0)
    least = 2 if variance == "each" else 1
    if count.min() < least:
        raise ValueError(f"an example has {count.min()} models of a kind: LiRA needs {least} or more of each")
    centre, squares = _moments(references, kind, count)
    each = variance == "each" or (variance == "auto" and count.min() >= ENOUGH)
    freedom = count - 1
    if each:
        spread = squares / freedom
    elif freedom.sum() == 0:
        return centre, np.ones_like(centre)  # one model: a difference
    else:
        spread = np.broadcast_to(squares.sum(axis=1, keepdims=True) / freedom.sum(), centre.shape)
    return centre, np.sqrt(np.maximum(spread, _LEAST))


def _moments(references: FloatArray, kind: np.ndarray | None, count: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return mean and sum of squared deviations of the models of a kind.

    Both are (queries, examples), by contraction without a copy of `references`; where the spread is so small beside the
    mean that this loses digits, from the deviations.
    """
    if kind is None:
        total, squares = references.sum(axis=0), np.einsum("mqe,mqe->qe", references, references)
    else:
        total, squares = np.empty(references.shape[1:]), np.empty(references.shape[1:])
        for start in range(0, count.size, _BLOCK):  # a copy of the whole mask as numbers costs more than the sums
            part = slice(start, start + _BLOCK)
            block, weight = references[:, :, part], kind[:, part].astype(np.float64)
            np.einsum("mqe,me->qe", block, weight, out=total[:, part])
            np.einsum("mqe,mqe,me->qe", block, block, weight, out=squares[:, part])
    centre = total / count
    squares -= centre * total
    lost = np.flatnonzero((squares <= _LOSS * (centre * total)).any(axis=0))
    if lost.size:
        deviations = references[:, :, lost] - centre[:, lost]
        if kind is not None:
            deviations *= kind[:, None, lost]
        squares[:, lost] = (deviations**2).sum(axis=0)
    return centre, squares


def _log_density(value: FloatArray, centre: FloatArray, spread: FloatArray) -> FloatArray:
    return np.asarray(-np.log(spread) - ((value - centre) / spread) ** 2 / 2.0)
