"""Check that a language model is one that its references can be compared with.

A model that was trained on its controls treats both sides alike, and one that has lost the language tells nothing of
either: both would pass, whatever they remember. Controls show it, on which all of them are unseen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pytest_unlearn.attacks.text.signals import mean_log_probability
from pytest_unlearn.claims.common import advice
from pytest_unlearn.claims.common.controls import (
    DOUBTFUL_SHARE,
    STRANGE_SHARE,
    TRAINED_SHARE,
    noisier_than_references,
    uncorrelated_with_references,
)
from pytest_unlearn.claims.common.verdict import Objection, doubt, invalid
from pytest_unlearn.core.evidence import Estimate, FloatArray, Verdict
from pytest_unlearn.core.token_scores import TextAnswers, TokenScores
from pytest_unlearn.statistics import normal_quantile
from pytest_unlearn.statistics.accuracy.clustered import clustered_difference

LOST_SHARE = 0.1  # of the references' loss: a model that has lost so much shows nothing of what it remembers
WHAT = "log-probabilities of documents"
LOST = (
    "give a model that has kept its language: assert_text_utility says how much it lost, and the method's settings why"
)


@dataclass(frozen=True, slots=True)
class Retained:
    """What the audited model and references think of retained documents."""

    target: TokenScores
    references: Sequence[TokenScores]


def comparable_objections(
    target: TextAnswers,
    references: Sequence[TextAnswers],
    original: TextAnswers | None,
    retained: Retained | None,
    confidence: float,
    *,
    below: bool,
) -> tuple[list[Objection], list[Objection]]:
    """Return why the model's answers on controls look trained on, or tell nothing.

    Args:
        target: the audited model.
        references: retrained models that differ, at least one.
        original: the model that was trained on the request, if it is known.
        retained: what the model and the references think of documents that all were trained on; None if none are known.
        confidence: of what is said to be sure.
        below: whether controls surely look more like training data than the request does.

    Returns:
        Objections that outrank a FAIL, and doubts.
    """
    ours, theirs = _losses(target.controls), np.array([_losses(one.controls) for one in references])
    usual = float(theirs.mean())
    gain = _gain(ours, theirs, confidence)
    doubts = []
    if gain.high < -LOST_SHARE * usual:
        doubts.append(
            doubt(
                f"no power on this model: on the controls it loses {ours.mean():.2f} nats a token, where retrained "
                f"models lose {usual:.2f}: it has lost the language, and what it remembers with it or behind it",
                LOST,
            )
        )
    weak = uncorrelated_with_references(target, references, statistic=mean_log_probability, what=WHAT)
    weak = weak or noisier_than_references(target, references, statistic=mean_log_probability, what=WHAT)
    if weak:
        doubts.append(doubt(weak, advice.OUT_OF_ORDER))
    trained = _trained_on_controls(target, references, original, retained, confidence, below=below)
    vetoes = [one for one in trained if one.verdict is Verdict.INVALID]
    return vetoes, [*doubts, *(one for one in trained if one not in vetoes)]


def _trained_on_controls(
    target: TextAnswers,
    references: Sequence[TextAnswers],
    original: TextAnswers | None,
    retained: Retained | None,
    confidence: float,
    *,
    below: bool,
) -> list[Objection]:
    """Say whether the model gains on the controls what only training on them gives.

    A better model gains everywhere, one that was trained on the controls on these alone: beside what it gains on
    retained documents as much as training on those gave references, and beside what the original gains on the controls
    as much as the original gains on the request. What is known of both has to show it.
    """
    gains = _gains(target, references, "controls")
    shares = []
    if retained is not None:
        unseen = np.concatenate([_losses(one.controls) for one in references]).mean()
        known = np.array([_losses(one) for one in retained.references])
        own = known.mean(axis=0) - _losses(retained.target)
        shares.append(_share((gains, own), float(unseen - known.mean()), confidence))
    if original is not None:
        seen, not_seen = (_gains(original, references, side) for side in ("forget", "controls"))
        shares.append(_share((gains - not_seen,), float(seen.mean() - not_seen.mean()), confidence))
    surely = min(shares, default=-math.inf)
    ours, theirs = (float(np.mean([_losses(one.controls) for one in some])) for some in ([target], references))
    reason = f"on the controls the model loses {ours:.2f} nats a token and retrained models {theirs:.2f}: it"
    then = "been trained on the controls, and then they cannot stand for documents it never saw"
    if surely > (STRANGE_SHARE if below else TRAINED_SHARE):
        return [invalid(f"{reason} seems to have {then}", advice.CONTROLS_TRAINED)]
    return [doubt(f"{reason} may have {then}", advice.CONTROLS_TRAINED)] if surely > DOUBTFUL_SHARE else []


def _share(sides: tuple[FloatArray, ...], memory: float, confidence: float) -> float:
    """Bound from below the difference of two means, or a mean, as a share of what training on a document gives."""
    if memory <= 0:
        return -math.inf
    error = math.hypot(*(float(one.std(ddof=1)) / math.sqrt(len(one)) for one in sides))
    difference = float(sides[0].mean()) - (float(sides[1].mean()) if len(sides) > 1 else 0.0)
    return (difference - normal_quantile(confidence) * error) / memory


def _gains(model: TextAnswers, references: Sequence[TextAnswers], side: str) -> FloatArray:
    """Return how much less a model loses on each document than references do."""
    theirs = np.mean([_losses(getattr(one, side)) for one in references], axis=0)
    return np.asarray(theirs - _losses(getattr(model, side)))


def _gain(ours: FloatArray, theirs: FloatArray, confidence: float) -> Estimate:
    """Bound how much less a model loses than references, document by document."""
    return clustered_difference(-ours, -theirs, np.arange(len(ours)), bounded=False).at(confidence)


def _losses(scores: TokenScores) -> FloatArray:
    return -mean_log_probability(scores)
