"""Attack the most vulnerable subgroup, which an average over all may hide.

Classes and given groups are each judged by an attack's own scores, with bounds that hold for all of them together. No
subgroup is chosen by models' scores: controls cannot be chosen alike, since no model was trained on them, and what a
hard example does to an honest model would then count against it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pytest_unlearn.attacks.attack import Attack, Pairing
from pytest_unlearn.core.evidence import Scores, Side
from pytest_unlearn.statistics import ExtremeMeasure, Measure

Mask = NDArray[np.bool_]
SIDES: Mapping[Side, str] = {"high": "most exposed", "low": "most over-forgotten"}


def class_masks(pairing: Pairing) -> list[Mask]:
    """Mark the forget examples of each class, where classes are compared."""
    strata = pairing.forget_strata
    return [] if strata is None else [strata == label for label in np.unique(strata)]


def worst_of(masks: Sequence[Mask], kind: str, attack: Attack) -> tuple[Attack, ...]:
    """Take an attack's largest and smallest AUC over subgroups of the forget set."""
    if not masks or (kind == "class" and len(masks) == 1):
        return ()
    return tuple(
        replace(
            attack, name=f"{words} {kind}", measure=partial(worst_measure, side, attack.measure, masks), sides=(side,)
        )
        for side, words in SIDES.items()
    )


def worst_measure(
    side: Side, measure: Callable[[Scores, Pairing], Measure], masks: Sequence[Mask], scores: Scores, pairing: Pairing
) -> Measure:
    """Measure the subgroup that stands out most on a side, for all of them together."""
    parts = [measure(part_of_scores(scores, mask), pairing.among_forget(mask)) for mask in masks]
    return ExtremeMeasure(parts=parts, side=side)


def slice_measure(attack: Attack, scores: Scores, pairing: Pairing, mask: Mask) -> Measure:
    """Apply the attack's own measure to a part of the forget set."""
    return attack.measure(part_of_scores(scores, mask), pairing.among_forget(mask))


def part_of_scores(scores: Scores, mask: Mask) -> Scores:
    """Keep the scores of some forget examples and of all controls."""
    rows = scores.reference_forget
    return replace(scores, forget=scores.forget[mask], reference_forget=None if rows is None else rows[:, mask])
