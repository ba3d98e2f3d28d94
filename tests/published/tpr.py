"""The share of the forget set caught by an attacker who may accuse only a small share of the controls."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from pytest_unlearn.core.evidence import Estimate
from pytest_unlearn.statistics.accuracy.proportions import clopper_pearson
from pytest_unlearn.statistics.validation import check_confidence, check_open_unit, vector

_ROUNDING = 1e-9  # 0.29 * 100 is 28.999999999999996


def tpr_at_fpr(forget: ArrayLike, controls: ArrayLike, fpr: float, confidence: float) -> Estimate | None:
    """What share of forget examples scores above all but a share `fpr` of the controls?

    `forget` [m], `controls` [n] are finite scores, higher meaning more member-like; `fpr` in (0, 1). The threshold is
    the (floor(fpr*n)+1)-th largest control score and must be exceeded: ties count against the attacker. Returns the
    share with one-sided Clopper-Pearson bounds, given the threshold; `fpr` under perfect unlearning; None, undefined,
    when n < 1/fpr. Raises ValueError for empty or non-finite scores. Source: Carlini 2022, section 3.
    """
    forget, controls = vector("forget", forget), vector("controls", controls)
    check_open_unit("fpr", fpr)
    check_confidence(confidence)
    allowed = math.floor(fpr * controls.size + _ROUNDING)
    if allowed < 1:
        return None
    place = controls.size - allowed - 1
    caught = int(np.sum(forget > np.partition(controls, place)[place]))
    low, high = clopper_pearson(caught, forget.size, confidence, two_sided=False)
    return Estimate(
        value=caught / forget.size,
        low=low,
        high=high,
        confidence=confidence,
        method="Clopper-Pearson",
        n_forget=forget.size,
        n_controls=controls.size,
    )
