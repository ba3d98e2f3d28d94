"""Run online attacks: compare with models trained with an example, and without it.

Sources: Carlini et al. 2022, "Membership inference attacks from first principles", algorithm 1; Zarifzadeh, Liu &
Shokri 2024 for reading a model's answers against those to a population. Offline attacks know only how an example is
answered without having been trained on. From models that were trained on it these learn how far that would go: how
much an example that hardly changes anything should count, and where between both laws it lies.

Forget examples and controls must be treated alike, or the attack would tell them apart in a model that saw neither. So
each shadow model is trained on the retain set and on a half of both together, drawn without regard to which is which.
For a model that was retrained on the retain set alone, whatever is learnt from shadow models is then the same for both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pytest_unlearn.attacks.attack import Pairing, Signal
from pytest_unlearn.attacks.thresholds import revealed
from pytest_unlearn.core.evidence import Answers, FloatArray, IntArray, Outputs, Scores
from pytest_unlearn.statistics import normal_scores

LEAST_MODELS = 4  # two with an example and two without it, from which to see how models differ
PRIOR = 4.0  # models' worth of what all examples have in common, in the variance of each
LEAST_EFFECT = 0.1  # of the mean effect of having been trained on, below which no example counts
_LEAST = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadows:
    """Hold the answers of shadow models, and what each was trained on.

    `included`, shape (models, examples), forget set first, then controls.
    """

    answers: Sequence[Answers]
    included: NDArray[np.bool_]


def draw_halves(units: IntArray, models: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Draw which model is trained on which example: halves, and their complements.

    Args:
        units: what is in or out as a whole, a number an example.
        models: how many, an even number.
        rng: the source of chance.

    Returns:
        A mask of shape (models, examples); each example is in exactly half of the models.
    """
    names, unit_of = np.unique(units, return_inverse=True)
    halves: list[NDArray[np.bool_]] = []
    for _ in range(models // 2):
        size = (len(names) + int(rng.integers(2))) // 2  # an odd one goes to either half
        half = np.isin(unit_of.reshape(-1), rng.permutation(len(names))[:size])
        halves += [half, ~half]
    return np.array(halves)


def online_ratio(
    signal: Signal, shadows: Shadows, target: Answers, references: Sequence[Answers], pairing: Pairing
) -> Scores:
    """Score by how much likelier an example was trained on: 0.5 if forgotten.

    Args:
        signal: the statistic of an example.
        shadows: models trained on halves of forget set and controls.
        target: the audited model's answers.
        references: retrained models' answers, which say how noisy an answer is.
        pairing: the examples that may be compared.
    """
    everyone = [_with_beside(one) for one in (target, *references)]
    expected = np.mean([signal(one.controls) for one in everyone[1:]], axis=0) if references else None
    shown = revealed(signal, everyone[0], expected)
    count, compared = len(target.forget.labels), shadows.included.shape[1]
    own = np.concatenate(shown)
    others = [np.concatenate([signal(one.forget), signal(one.controls)]) for one in map(_with_beside, shadows.answers)]
    scores = membership_ratios(
        _among_others(own, compared), np.array([_among_others(one, compared) for one in others]), shadows.included
    )
    return Scores(
        forget=scores[:count], controls=scores[count:], tie_share=pairing.tie_share(own[:count], own[count:compared])
    )


def membership_ratios(target: FloatArray, models: FloatArray, included: NDArray[np.bool_]) -> FloatArray:
    """Compare how likely a statistic is with the example and without it, in logs.

    Both laws are normal, with one variance. From few models an example's own effect and variance are hardly known, and
    are moved towards those of all examples, by as much as chance alone would set them apart.

    Args:
        target: the model's statistic, shape (examples,).
        models: the same of shadow models, shape (models, examples).
        included: which model was trained on which example, shape (models, examples).

    Returns:
        A log-likelihood ratio for each example, shape (examples,), higher for members.

    Raises:
        ValueError: shapes that do not match, or an example that fewer than two models saw, or did not see.
    """
    included = np.asarray(included, dtype=bool)
    counts = included.sum(axis=0), (~included).sum(axis=0)
    if models.shape != included.shape or target.shape != included.shape[1:]:
        raise ValueError(
            f"models of shape {models.shape}, trained on {included.shape}, do not go with {target.shape} examples"
        )
    if min(int(count.min()) for count in counts) < LEAST_MODELS // 2:
        raise ValueError(
            "online attacks need two models or more that were trained on an example, and two that were not"
        )
    laws = [np.where(kind, models, 0.0).sum(axis=0) / n for kind, n in zip((included, ~included), counts, strict=True)]
    squares = ((models - np.where(included, *laws)) ** 2).sum(axis=0)
    freedom = len(models) - 2
    common = max(float(squares.mean()) / freedom, _LEAST)
    effect = _without_chance(laws[0] - laws[1], common * (1 / counts[0] + 1 / counts[1]))
    variance = (PRIOR * common + squares) / (PRIOR + freedom)
    return np.asarray(effect / variance * (target - (laws[0] + laws[1]) / 2.0))


def _without_chance(effect: FloatArray, noise: FloatArray) -> FloatArray:
    """Move effects towards their mean as far as chance sets them apart; none is below a tenth of it.

    Of models that remember nothing no example counts more than another.
    """
    usual, spread = float(effect.mean()), float(effect.var())
    if usual <= 0.0:
        return np.ones_like(effect)
    own = max(0.0, 1.0 - float(noise.mean()) / spread) if spread > 0.0 else 0.0
    return np.asarray(np.maximum(usual + own * (effect - usual), LEAST_EFFECT * usual))


def _with_beside(answers: Answers) -> Answers:
    """Add to the controls those that are not compared."""
    if answers.beside is None:
        return answers
    channel = None if answers.channel is None else _with_beside(answers.channel)
    return replace(answers, controls=_joined(answers.controls, answers.beside), channel=channel, beside=None)


def _joined(one: Outputs, other: Outputs) -> Outputs:
    return Outputs(logits=np.concatenate([one.logits, other.logits]), labels=np.concatenate([one.labels, other.labels]))


def _among_others(values: FloatArray, compared: int) -> FloatArray:
    """Rank what is compared among the controls that are not, which no model saw; else among itself.

    No monotone change of a model's outputs can hide anything from ranks.
    """
    others = values[compared:] if len(values) > compared else values
    return normal_scores(values[:compared], others)
