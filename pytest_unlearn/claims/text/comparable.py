"""Check that a language model is one that its references can be compared with.

A model that was trained on its controls treats both sides alike, and one that has lost the language tells nothing of
either: both would pass, whatever they remember. Controls show it, on which all of them are unseen.
"""

from __future__ import annotations

from collections.abc import Sequence

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
from pytest_unlearn.core.token_scores import TextAnswers, TokenScores
from pytest_unlearn.statistics.accuracy.clustered import clustered_difference

LOST_SHARE = 0.1  # of the references' loss: a model that has lost so much shows nothing of what it remembers
WHAT = "log-probabilities of documents"
LOST = (
    "give a model that has kept its language: assert_text_utility says how much it lost, and the method's settings why"
)


def comparable_objections(
    target: TextAnswers,
    references: Sequence[TextAnswers],
    retained: Sequence[TokenScores],
    confidence: float,
    *,
    below: bool,
) -> tuple[list[Objection], list[Objection]]:
    """Return why the model's answers on controls look trained on, or tell nothing.

    Args:
        target: the audited model.
        references: retrained models that differ, at least one.
        retained: what each of them thinks of documents that it was trained on; empty where none are known.
        confidence: of what is said to be sure.
        below: whether controls surely look more like training data than the request does.

    Returns:
        Objections that outrank a FAIL, and doubts.
    """
    ours, theirs = _losses(target), np.array([_losses(one) for one in references])
    usual = float(theirs.mean())
    units = np.arange(len(ours))
    gain = clustered_difference(-ours, -theirs, units, bounded=False).at(confidence)
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
    # Retrained models show what it does to a document to be trained on.
    learned = usual + float(np.mean([mean_log_probability(one).mean() for one in retained])) if retained else 0.0
    if learned <= 0:
        return [], doubts
    reason = (
        f"on the controls the model loses {ours.mean():.2f} nats a token and retrained models {usual:.2f}, which lose "
        f"{usual - learned:.2f} on what they were trained on: it"
    )
    then = "and then they cannot stand for documents it never saw"
    if gain.low > (STRANGE_SHARE if below else TRAINED_SHARE) * learned:
        return [
            invalid(f"{reason} seems to have been trained on the controls, {then}", advice.CONTROLS_TRAINED)
        ], doubts
    if gain.low > DOUBTFUL_SHARE * learned:
        doubts.append(doubt(f"{reason} may have been trained on the controls, {then}", advice.CONTROLS_TRAINED))
    return [], doubts


def _losses(answers: TextAnswers) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return -mean_log_probability(answers.controls)
