"""Score documents by what a text before them changes (ReCaLL), beside references."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pytest_unlearn.attacks.attack import Pairing
from pytest_unlearn.attacks.text.signals import recall_ratio
from pytest_unlearn.attacks.thresholds import relative_residual
from pytest_unlearn.core.evidence import FloatArray, Scores
from pytest_unlearn.core.token_scores import TextAnswers, TokenScores


@dataclass(frozen=True, eq=False)  # no slots: residuals are remembered by a weak reference to it
class WithAndWithout:
    """What a model thought of documents alone, and after another text."""

    alone: TokenScores
    after: TokenScores


def recall_residual(target: TextAnswers, references: Sequence[TextAnswers], pairing: Pairing) -> Scores:
    """Score by the residual of LL(x | P) / LL(x), beside each reference's.

    AUC difference 0 if forgotten. The prefix favours one side of a split in retrained models too, and by as much in
    each of them, of which a line fitted on the controls leaves a little (measured on 14 retrained models of two draws:
    mean AUC .495 by the residual alone, .498 beside the references'). All models were asked after the same text.
    """
    both: list[Any] = [_both(one) for one in (target, *references)]
    return relative_residual(_ratio, both[0], both[1:], pairing)


def _ratio(scores: WithAndWithout) -> FloatArray:
    return recall_ratio(scores.alone, scores.after)


def _both(model: TextAnswers) -> TextAnswers:
    assert model.after is not None
    forget, controls = (
        WithAndWithout(getattr(model, side), getattr(model.after, side)) for side in ("forget", "controls")
    )
    channel = None if model.channel is None else _both(model.channel)
    return TextAnswers(forget=forget, controls=controls, channel=channel)  # type: ignore[arg-type]
