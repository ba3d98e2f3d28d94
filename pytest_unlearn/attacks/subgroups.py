"""Attack the most vulnerable subgroup, which an average over all may hide.

Classes and given groups are each judged by an attack's own scores, with bounds that hold for all of them together. The
most memorised tenth is chosen with one half of the references and judged against the other half: chosen and judged by
the same models, an honest model would seem to remember the examples whose references happened to be unsure. The
original chooses too: what a model shares with it on controls (a seed, starting weights) is taken out, which errs on the
low side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pytest_unlearn.attacks.attack import Attack, Pairing, Signal, auc_of_scores
from pytest_unlearn.core.evidence import Answers, FloatArray, Scores, Side
from pytest_unlearn.statistics import ExtremeMeasure, Measure, normal_scores

Mask = NDArray[np.bool_]
MEMORISED = "most memorised tenth"
SHARE = 0.1
FEWEST = 10
SIDES: Mapping[Side, str] = {"high": "most exposed", "low": "most over-forgotten"}


def class_masks(pairing: Pairing) -> list[Mask]:
    """Mark the forget examples of each class, where classes are compared."""
    strata = pairing.forget_strata
    return [] if strata is None else [strata == label for label in np.unique(strata)]


def worst_of(masks: Sequence[Mask], kind: str, attack: Attack) -> tuple[Attack, ...]:
    """Take an attack's largest and smallest AUC over subgroups of the forget set."""
    if not masks or (kind == "class" and len(masks) == 1):
        return ()

    def measure(side: Side, scores: Scores, pairing: Pairing) -> Measure:
        return ExtremeMeasure(parts=[slice_measure(attack, scores, pairing, mask) for mask in masks], side=side)

    return tuple(
        replace(attack, name=f"{words} {kind}", measure=partial(measure, side), sides=(side,))
        for side, words in SIDES.items()
    )


def slice_measure(attack: Attack, scores: Scores, pairing: Pairing, mask: Mask) -> Measure:
    """Apply the attack's own measure to a part of the forget set."""
    return attack.measure(part_of_scores(scores, mask), pairing.among_forget(mask))


def part_of_scores(scores: Scores, mask: Mask) -> Scores:
    """Keep the scores of some forget examples and of all controls."""
    rows = scores.reference_forget
    return replace(scores, forget=scores.forget[mask], reference_forget=None if rows is None else rows[:, mask])


def most_memorised(signal: Signal, original: Answers, references: Sequence[Answers]) -> Attack | None:
    """Attack the tenth of the forget set in which the original is surest.

    None where there is too little to choose from or to judge with: under 100 forget examples or two references.
    """
    size = round(SHARE * len(original.forget.labels))
    if size < FEWEST or len(references) < 2:
        return None
    half = len(references) // 2
    ranked = partial(_ranked, signal)
    memorised = _beyond(ranked(original), [ranked(one) for one in references[:half]])
    judges = [ranked(one) for one in references[half:]]
    chosen = np.zeros(len(original.forget.labels), dtype=bool)
    chosen[np.argsort(-memorised[0], kind="stable")[:size]] = True

    def score(target: Answers, _: Sequence[Answers], __: Pairing) -> Scores:
        forget, controls = _beyond(ranked(target), judges)
        shared = _slope(memorised[1], controls)
        return Scores(forget=(forget - shared * memorised[0])[chosen], controls=controls - shared * memorised[1])

    def measure(scores: Scores, pairing: Pairing) -> Measure:
        return auc_of_scores(scores, pairing.among_forget(chosen))

    return Attack(
        name=MEMORISED,
        score=score,
        measure=measure,
        sides=("high",),
        access=("outputs", "references", "original"),
        least_references=2,
        source="Carlini et al. 2022; Feldman & Zhang 2020",
    )


def _ranked(signal: Signal, model: Answers) -> tuple[FloatArray, FloatArray]:
    """Rank a model's signal among its own controls, as normal scores."""
    controls = signal(model.controls)
    return normal_scores(signal(model.forget), controls), normal_scores(controls, controls)


def _beyond(
    model: tuple[FloatArray, FloatArray], references: Sequence[tuple[FloatArray, FloatArray]]
) -> tuple[FloatArray, FloatArray]:
    """Subtract the references' mean on both sides; 0 on average if retrained.

    Scores are averaged after ranking: ranks of an average are less noisy than any one model's, so that what is hard
    would seem harder to references than to an honest model.
    """
    sides = [one - np.mean([other[k] for other in references], axis=0) for k, one in enumerate(model)]
    return sides[0], sides[1]


def _slope(original: FloatArray, found: FloatArray) -> float:
    """Regress on controls what the model shares with the original, at least 0."""
    centred = original - original.mean()
    spread = float(centred @ centred)
    return max(0.0, float(centred @ (found - found.mean())) / spread) if spread > 0.0 else 0.0
