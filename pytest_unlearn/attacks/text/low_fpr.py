"""Measure the share of a request that is caught while few controls are accused.

On average text is hardly recognised, and a few documents perfectly: an AUC averages that away.
"""

from __future__ import annotations

import math

from numpy.typing import ArrayLike

from pytest_unlearn.statistics import Measure, ShareMeasure, tpr_at_fprs
from pytest_unlearn.statistics.validation import check_confidence, check_open_unit, vector

FPR = 0.01


def least_controls(fpr: float = FPR, confidence: float = 0.95) -> int:
    """Count the controls from which a false-positive rate can be spoken of.

    The fewest of which not one is accused by chance with probability 1 - confidence at most if the true rate is `fpr`:
    299 at 1% and 95%. Raises ValueError for a rate outside (0, 1), a confidence outside (0.5, 1).
    """
    return math.ceil(math.log(1.0 - check_confidence(confidence)) / math.log1p(-check_open_unit("fpr", fpr)) - 1e-9)


def tpr_at_low_fpr(forget: ArrayLike, controls: ArrayLike, *, fpr: float = FPR) -> Measure | None:
    """Measure the share of the request above all but `fpr` of the controls.

    `forget` (m,) and `controls` (n,) are scores, higher meaning more like training data. Returns a measure with exact
    bounds given the threshold, about `fpr` under perfect unlearning; None where there are fewer controls than
    `least_controls`: a threshold at their largest few says nothing of 1%. Ties count against the attacker. The
    threshold is itself drawn: of n controls its true rate varies by sqrt(fpr (1 - fpr) / n), so judge it beside
    references. Raises ValueError for scores that are empty or not finite. Source: Carlini et al. 2022, section 3.
    """
    forget, controls = vector("forget", forget), vector("controls", controls)
    if controls.size < least_controls(fpr):
        return None
    share = float(tpr_at_fprs(forget, controls, [fpr])[0])
    return ShareMeasure(successes=round(share * forget.size), n=forget.size)
