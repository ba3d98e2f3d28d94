"""Measure the AUC of a score relative to the same score on references.

For attacks that are not calibrated for each example.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pytest_unlearn.statistics.auc.placements import stratified_placements
from pytest_unlearn.statistics.auc.strata import layout
from pytest_unlearn.statistics.measure import Measure
from pytest_unlearn.statistics.references.difference import two_sided_measure
from pytest_unlearn.statistics.validation import matrix, vector


def auc_difference(
    forget: ArrayLike,
    controls: ArrayLike,
    reference_forget: ArrayLike,
    reference_controls: ArrayLike,
    *,
    forget_strata: ArrayLike | None = None,
    control_strata: ArrayLike | None = None,
    forget_groups: ArrayLike | None = None,
    control_groups: ArrayLike | None = None,
) -> Measure:
    """Measure how much better the score separates here than on references.

    `forget` [m], `controls` [n] are the model's scores, `reference_forget` [K, m] and `reference_controls` [K, n]
    those of K references on the same examples; strata and groups as in `auc_measure`. Returns a measure of
    1/2 + AUC(model) - mean AUC(reference), clipped to [0, 1], 1/2 under perfect unlearning: paired DeLong through the
    differences of placements, plus the references' own spread s^2/K. A side is never taken to be surer than
    z^2/(n+z^2), so that a model equal to its references has an interval too. Raises ValueError as `auc_measure` does,
    and for references whose examples do not match. Sources: DeLong 1988; MOVER, Zou & Donner 2008.
    """
    forget, controls = vector("forget", forget), vector("controls", controls)
    ours = matrix("reference_forget", reference_forget, forget.size)
    theirs = matrix("reference_controls", reference_controls, controls.size)
    if len(ours) != len(theirs):
        raise ValueError(f"{len(ours)} references score forget but {len(theirs)} score controls; pass the same ones")
    design = layout(forget.size, controls.size, forget_strata, control_strata, forget_groups, control_groups)
    v10, v01 = stratified_placements(forget, controls[design.kept], design)
    rows = [stratified_placements(f, c[design.kept], design) for f, c in zip(ours, theirs, strict=True)]
    reference_aucs = np.array([r10.mean() for r10, _ in rows])
    extra_forget = v10 - np.mean([r10 for r10, _ in rows], axis=0)
    extra_controls = v01 - np.mean([r01 for _, r01 in rows], axis=0)
    value = 0.5 + float(v10.mean() - reference_aucs.mean())
    extras = extra_forget, extra_controls
    return two_sided_measure(value, design, extras, reference_aucs, scale=1.0, sparse=False, method="paired DeLong")
