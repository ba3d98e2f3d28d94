"""Measure the attack that sees only labels, on the AUC scale.

It compares accuracy on forget with accuracy on controls.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from pytest_unlearn.core.evidence import Estimate
from pytest_unlearn.statistics.accuracy.proportions import newcombe
from pytest_unlearn.statistics.auc.strata import layout
from pytest_unlearn.statistics.measure import Measure, estimate
from pytest_unlearn.statistics.references.difference import two_sided_measure
from pytest_unlearn.statistics.validation import binary, matrix, vector


@dataclass(frozen=True, slots=True, kw_only=True)
class NewcombeMeasure:
    """Measure 1/2 plus half the difference of two independent proportions.

    Each counts the right answers of all, on forget and on controls.
    """

    right_forget: int
    n_forget: int
    right_controls: int
    n_controls: int

    @property
    def value(self) -> float:
        """1/2 + (accuracy on forget - accuracy on controls) / 2."""
        return 0.5 + (self.right_forget / self.n_forget - self.right_controls / self.n_controls) / 2.0

    def at(self, confidence: float) -> Estimate:
        """Bound it by Newcombe's one-sided interval, on the AUC scale."""
        low, high = newcombe(
            self.right_forget, self.n_forget, self.right_controls, self.n_controls, confidence, two_sided=False
        )
        low, high = 0.5 + low / 2.0, 0.5 + high / 2.0
        return estimate(self.value, low, high, confidence, "Newcombe", self.n_forget, self.n_controls)


def accuracy_gap(
    correct_forget: ArrayLike,
    correct_controls: ArrayLike,
    reference_correct_forget: ArrayLike | None = None,
    reference_correct_controls: ArrayLike | None = None,
    *,
    forget_strata: ArrayLike | None = None,
    control_strata: ArrayLike | None = None,
    forget_groups: ArrayLike | None = None,
    control_groups: ArrayLike | None = None,
) -> Measure:
    """Measure how much more often forget is answered right than controls.

    Controls are of the same stratum; what references show as well is taken off. `correct_forget` [m] and
    `correct_controls` [n] hold 0/1 (or bool); the references' rows, [K, m] and [K, n], are given together or not at
    all; strata and groups as in `auc_measure`. Returns a measure of 1/2 + gap/2 in [0, 1]: the AUC of correctness as a
    score, 1/2 under perfect unlearning. Plain proportions get Newcombe's interval; otherwise Wilson-like half widths of
    both sides and the references' spread add in quadrature. Raises ValueError for values other than 0/1, shapes that do
    not match, and a forget stratum without a control. Sources: Yeom 2018 (the attack); Newcombe 1998; MOVER, Zou &
    Donner 2008.
    """
    forget = binary("correct_forget", vector("correct_forget", correct_forget))
    controls = binary("correct_controls", vector("correct_controls", correct_controls))
    if (reference_correct_forget is None) != (reference_correct_controls is None):
        raise ValueError("pass reference_correct_forget and reference_correct_controls together, or neither")
    design = layout(forget.size, controls.size, forget_strata, control_strata, forget_groups, control_groups)
    if reference_correct_forget is None or reference_correct_controls is None:
        if forget_strata is None and forget_groups is None and control_groups is None:
            return NewcombeMeasure(
                right_forget=int(forget.sum()),
                n_forget=forget.size,
                right_controls=int(controls.sum()),
                n_controls=controls.size,
            )
        ours, theirs = np.zeros((1, forget.size)), np.zeros((1, controls.size))
    else:
        ours = matrix("reference_correct_forget", reference_correct_forget, forget.size)
        theirs = matrix("reference_correct_controls", reference_correct_controls, controls.size)
        binary("reference_correct_forget", ours)
        binary("reference_correct_controls", theirs)
        if len(ours) != len(theirs):
            raise ValueError(
                f"{len(ours)} references judge forget but {len(theirs)} judge controls; pass the same ones"
            )
    controls, theirs = controls[design.kept], theirs[:, design.kept]
    extra_forget, extra_controls = forget - ours.mean(axis=0), controls - theirs.mean(axis=0)
    gaps = np.array([f.mean() - design.controls.mean(c) for f, c in zip(ours, theirs, strict=True)])
    gap = float(forget.mean()) - design.controls.mean(controls) - float(gaps.mean())
    return two_sided_measure(
        0.5 + gap / 2.0,
        design,
        (extra_forget, -extra_controls),
        gaps,
        scale=0.5,
        sparse=True,
        method="accuracy difference" if reference_correct_forget is None else "difference in differences",
    )
