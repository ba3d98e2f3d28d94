"""The most vulnerable slice: a forget set can pass on average while one class, group or kind of example is exposed.

Classes and given groups are each judged by an attack's own scores, with bounds that hold for all of them together. The
most memorised tenth is chosen with one half of the references and judged against the other half: chosen and judged by
the same models, an honest model would seem to know the examples whose references happened to be unsure. The original
chooses too: what a model shares with it on controls (a seed, starting weights) is taken out, which errs on the low
side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pytest_unlearn.attacks.measures import auc_of_scores
from pytest_unlearn.attacks.setting import Attack, Pairing, Signal
from pytest_unlearn.evidence import Answers, FloatArray, Scores, Side
from pytest_unlearn.statistics import ExtremeMeasure, Measure

Mask = NDArray[np.bool_]
MEMORISED = "most memorised tenth"
SHARE = 0.1
FEWEST = 10
SIDES: Mapping[Side, str] = {"high": "most exposed", "low": "most over-forgotten"}


def class_masks(pairing: Pairing) -> list[Mask]:
    """The forget examples of each class, where classes are compared."""
    strata = pairing.forget_strata
    return [] if strata is None else [strata == label for label in np.unique(strata)]


def worst_of(masks: Sequence[Mask], kind: str, attack: Attack) -> tuple[Attack, ...]:
    """An attack's largest and smallest AUC over slices of the forget set, each against all comparable controls."""
    if not masks or (kind == "class" and len(masks) == 1):
        return ()

    def measure(side: Side, scores: Scores, pairing: Pairing) -> Measure:
        return ExtremeMeasure(parts=[slice_measure(attack, scores, pairing, mask) for mask in masks], side=side)

    return tuple(
        replace(attack, name=f"{words} {kind}", measure=partial(measure, side), sides=(side,))
        for side, words in SIDES.items()
    )


def slice_measure(attack: Attack, scores: Scores, pairing: Pairing, mask: Mask) -> Measure:
    """The attack's own measure on a part of the forget set."""
    return attack.measure(part_of_scores(scores, mask), pairing.among_forget(mask))


def part_of_scores(scores: Scores, mask: Mask) -> Scores:
    """Scores of some of the forget examples and of all controls."""
    rows = scores.reference_forget
    return replace(scores, forget=scores.forget[mask], reference_forget=None if rows is None else rows[:, mask])


def most_memorised(signal: Signal, original: Answers, references: Sequence[Answers]) -> Attack | None:
    """The tenth of the forget set that the original knew best: is the model still surer of it than references are?

    None where there is too little to choose from or to judge with: under 100 forget examples or two references.
    """
    size = round(SHARE * len(original.forget.labels))
    if size < FEWEST or len(references) < 2:
        return None
    half = len(references) // 2
    usual = _mean(signal, references[:half])
    chosen = np.zeros(len(original.forget.labels), dtype=bool)
    chosen[np.argsort(-(signal(original.forget) - usual[0]), kind="stable")[:size]] = True

    known = [signal(getattr(original, side)) - mean for side, mean in zip(("forget", "controls"), usual, strict=True)]

    def beyond(model: Answers) -> tuple[FloatArray, FloatArray]:
        """What the model knows beyond the first half of references, and beyond what it shares with the original."""
        forget, controls = signal(model.forget) - usual[0], signal(model.controls) - usual[1]
        centred = known[1] - known[1].mean()
        spread = float(centred @ centred)
        shared = max(0.0, float(centred @ (controls - controls.mean())) / spread) if spread > 0.0 else 0.0
        return (forget - shared * known[0])[chosen], controls - shared * known[1]

    def score(target: Answers, _: Sequence[Answers], __: Pairing) -> Scores:
        mine, others = beyond(target), [beyond(one) for one in references[half:]]
        return Scores(
            forget=mine[0],
            controls=mine[1],
            reference_forget=np.array([pair[0] for pair in others]),
            reference_controls=np.array([pair[1] for pair in others]),
        )

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


def _mean(signal: Callable[..., FloatArray], references: Sequence[Answers]) -> tuple[FloatArray, FloatArray]:
    sides = [np.mean([signal(getattr(one, side)) for one in references], axis=0) for side in ("forget", "controls")]
    return sides[0], sides[1]
