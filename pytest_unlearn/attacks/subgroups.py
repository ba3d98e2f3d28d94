"""Attack the most vulnerable subgroup, which an average over all may hide.

Classes and given groups are each judged by an attack's own scores, with bounds that hold for all of them together. No
subgroup is chosen by models' scores: controls cannot be chosen alike, since no model was trained on them, and what a
hard example does to an honest model would then count against it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_unlearn.attacks.attack import Attack, Pairing, auc_of_scores
from pytest_unlearn.core.evidence import IntArray, Scores, Side
from pytest_unlearn.statistics import (
    ExtremeMeasure,
    Measure,
    MeasuresTogether,
    auc_differences_by_stratum,
    aucs_by_stratum,
)

Mask = NDArray[np.bool_]
SIDES: Mapping[Side, str] = {"high": "most exposed", "low": "most over-forgotten"}


def class_masks(pairing: Pairing) -> list[Mask]:
    """Mark the forget examples of each class, where classes are compared."""
    strata = pairing.forget_strata
    return [] if strata is None else [strata == label for label in np.unique(strata)]


def worst_of(masks: Sequence[Mask], kind: str, attack: Attack) -> tuple[Attack, ...]:
    """Take an attack's largest and smallest AUC over subgroups of the forget set."""
    if not masks:
        return ()
    return tuple(
        replace(
            attack, name=f"{words} {kind}", measure=partial(worst_measure, side, attack.measure, masks), sides=(side,)
        )
        for side, words in SIDES.items()
    )


def worst_class_of(pairing: Pairing, attack: Attack) -> tuple[Attack, ...]:
    """Take an attack's largest and smallest AUC over several classes."""
    strata = pairing.forget_strata
    if strata is None or (strata == strata[0]).all():
        return ()
    return tuple(
        replace(
            attack, name=f"{words} class", measure=partial(worst_class_measure, side, attack.measure), sides=(side,)
        )
        for side, words in SIDES.items()
    )


def worst_class_measure(
    side: Side, measure: Callable[[Scores, Pairing], Measure], scores: Scores, pairing: Pairing
) -> Measure:
    """Measure the class that stands out most on a side, for all of them together."""
    if measure is not auc_of_scores:
        return worst_measure(side, measure, class_masks(pairing), scores, pairing)
    return ExtremeMeasure(parts=aucs_of_classes(scores, pairing), side=side)


def aucs_of_classes(scores: Scores, pairing: Pairing) -> MeasuresTogether:
    """Measure each class of the forget set as `auc_of_scores` does."""
    labels: dict[str, Any] = pairing.labels
    if scores.reference_forget is None or scores.reference_controls is None:
        return aucs_by_stratum(scores.forget, scores.controls, **labels)
    return auc_differences_by_stratum(
        scores.forget, scores.controls, scores.reference_forget, scores.reference_controls, **labels
    )


def worst_measure(
    side: Side, measure: Callable[[Scores, Pairing], Measure], masks: Sequence[Mask], scores: Scores, pairing: Pairing
) -> Measure:
    """Measure the subgroup that stands out most on a side, for all of them together."""
    comparable = _ComparableControls(pairing)
    parts = []
    for mask in masks:
        part, among = part_of_scores(scores, mask), pairing.among_forget(mask)
        chosen = comparable.to(among.forget_strata)
        if chosen is not None:
            part, among = _with_controls(part, chosen), among.among_controls(chosen)
        parts.append(measure(part, among))
    return ExtremeMeasure(parts=parts, side=side)


class _ComparableControls:
    """Find the controls of a subgroup's classes, all others being compared with nothing: one sort serves all."""

    def __init__(self, pairing: Pairing) -> None:
        self._strata = pairing.control_strata
        if self._strata is not None:
            self._order = np.argsort(self._strata, kind="stable")
            self._sorted = self._strata[self._order]

    def to(self, strata: IntArray | None) -> IntArray | None:
        """List the positions of controls of these classes, in order; None where all are compared with all."""
        if self._strata is None or strata is None:
            return None
        present = np.unique(strata)
        first, last = (np.searchsorted(self._sorted, present, side=side) for side in ("left", "right"))
        runs = [self._order[a:b] for a, b in zip(first, last, strict=True)]
        return runs[0] if len(runs) == 1 else np.sort(np.concatenate(runs))


def slice_measure(attack: Attack, scores: Scores, pairing: Pairing, mask: Mask) -> Measure:
    """Apply the attack's own measure to a part of the forget set."""
    return attack.measure(part_of_scores(scores, mask), pairing.among_forget(mask))


def _with_controls(scores: Scores, chosen: IntArray) -> Scores:
    rows = scores.reference_controls
    return replace(
        scores, controls=scores.controls[chosen], reference_controls=None if rows is None else rows[:, chosen]
    )


def part_of_scores(scores: Scores, mask: Mask) -> Scores:
    """Keep the scores of some forget examples and of all controls."""
    rows = scores.reference_forget
    return replace(scores, forget=scores.forget[mask], reference_forget=None if rows is None else rows[:, mask])
