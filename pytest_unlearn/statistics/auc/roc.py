"""Trace the ROC curve, each class with a threshold of its own.

The stratified AUC compares alike.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pytest_unlearn.core.evidence import FloatArray
from pytest_unlearn.statistics.validation import vector


def tpr_at_fprs(
    forget: ArrayLike,
    controls: ArrayLike,
    fprs: ArrayLike,
    *,
    forget_strata: ArrayLike | None = None,
    control_strata: ArrayLike | None = None,
) -> FloatArray:
    """Return the share of forget caught at false-positive rates within classes.

    `forget` [m] and `controls` [n] are finite scores, higher meaning more member-like; `fprs` [k] in [0, 1];
    `forget_strata` [m] and `control_strata` [n] name classes, without them all are one. A forget example is caught at a
    rate that is at least the share of its class's controls scoring as high or higher: ties count against the attacker.
    Returns the shares [k], each equal to its rate under perfect unlearning; the area beneath them is the stratified AUC
    (less half the ties). Raises ValueError for empty or non-finite scores and for a forget class without controls.
    Source: covariate-adjusted ROC curve, Janes & Pepe 2009, Biometrika 96, 371-382.
    """
    forget, controls = vector("forget", forget), vector("controls", controls)
    ours = np.zeros(forget.size) if forget_strata is None else np.asarray(forget_strata)
    theirs = np.zeros(controls.size) if control_strata is None else np.asarray(control_strata)
    needed = np.empty(forget.size)
    for stratum in np.unique(ours):
        peers = np.sort(controls[theirs == stratum])
        if peers.size == 0:
            raise ValueError(f"stratum {stratum} of the forget set has no control")
        mine = ours == stratum
        needed[mine] = (peers.size - np.searchsorted(peers, forget[mine], side="left")) / peers.size
    caught = np.searchsorted(np.sort(needed), np.asarray(fprs, dtype=np.float64) + 1e-12, side="right")
    return np.asarray(caught / forget.size, dtype=np.float64)
