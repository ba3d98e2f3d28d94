"""Keep of a model's scores what references cannot explain.

No monotone change of its outputs can hide it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from pytest_unlearn.core.evidence import FloatArray
from pytest_unlearn.statistics.auc.placements import midranks
from pytest_unlearn.statistics.auc.strata import layout
from pytest_unlearn.statistics.validation import vector


def normal_scores(values: ArrayLike, controls: ArrayLike) -> FloatArray:
    """Rank each value among the controls, on the normal scale.

    `values` [m], `controls` [n]; returns Phi^-1((less + equal/2 + 1/2)/(n+1)) [m], counting the controls less than and
    equal to each value; for a control itself that is midrank/(n+1). Raises ValueError for empty or non-finite values.
    Source: van der Waerden 1952.
    """
    values, controls = vector("values", values), vector("controls", controls)
    return _normal_scores(values, controls)[0]


def _normal_scores(values: FloatArray, controls: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the scores of the values, and of the controls themselves."""
    is_control = np.arange(values.size + controls.size) >= values.size
    beaten = midranks(np.concatenate([values, controls])).beaten(is_control)
    scores = special.ndtri((beaten + 0.5) / (controls.size + 1.0))
    return scores[: values.size], scores[values.size :]


def residual(
    forget: ArrayLike,
    controls: ArrayLike,
    reference_forget: ArrayLike,
    reference_controls: ArrayLike,
    *,
    pooled: bool = False,
) -> tuple[FloatArray, FloatArray]:
    """Compute how much more member-like each example is than references predict.

    `forget` [m] and `controls` [n] are the model's statistic, `reference_forget` [m] and `reference_controls` [n] the
    mean of the same statistic over the references. All are mapped to normal scores among the controls, a line is fitted
    by least squares on the controls, and what it leaves is returned, (forget residual [m], controls residual [n]):
    alike in distribution under perfect unlearning. Ranks make it invariant to any increasing transformation of
    the model's outputs (such as a temperature), behind which a plain difference to the references can be hidden. Where
    the references' scores do not vary, the slope is 0. Raises ValueError
    for non-finite values and unequal lengths.

    `pooled` ranks and fits among both sets instead, for forget sets that were drawn at random from the pool of both: it
    favours neither side, however few there are.
    """
    forget, controls = vector("forget", forget), vector("controls", controls)
    reference_forget = vector("reference_forget", reference_forget)
    reference_controls = vector("reference_controls", reference_controls)
    if (forget.size, controls.size) != (reference_forget.size, reference_controls.size):
        raise ValueError(
            f"the references' means are for {reference_forget.size} forget examples and {reference_controls.size} "
            f"controls, the model's values for {forget.size} and {controls.size}; pass the same examples in one order"
        )
    if pooled:
        cut = [forget.size]
        both, expected = np.concatenate([forget, controls]), np.concatenate([reference_forget, reference_controls])
        fitted = np.split(residual(both, both, expected, expected)[1], cut)
        return fitted[0], fitted[1]
    ours, y = _normal_scores(forget, controls)
    expected_forget, x = _normal_scores(reference_forget, reference_controls)
    x_centred = x - x.mean()
    spread = float(x_centred @ x_centred)
    slope = float(x_centred @ (y - y.mean())) / spread if spread > 0.0 else 0.0
    intercept = float(y.mean()) - slope * float(x.mean())
    return ours - intercept - slope * expected_forget, y - intercept - slope * x


def tie_share(
    forget: ArrayLike,
    controls: ArrayLike,
    *,
    forget_strata: ArrayLike | None = None,
    control_strata: ArrayLike | None = None,
) -> float:
    """Return the fraction of forget-control pairs of a stratum that tie exactly.

    `forget` [m], `controls` [n], strata as in `auc_measure`. Returns a number in [0, 1]; at 1 the statistic shows
    nothing. O((m+n) log n). Raises ValueError as `auc_measure` does.
    """
    forget, controls = vector("forget", forget), vector("controls", controls)
    design = layout(forget.size, controls.size, forget_strata, control_strata)
    strata = np.concatenate([design.forget.strata, design.controls.strata]) if design.forget.counts.size > 1 else None
    scores = np.concatenate([forget, controls[design.kept]])
    is_control = np.arange(scores.size) >= forget.size
    tied = midranks(scores, strata).ties(~is_control, is_control)
    return tied / float(design.forget.counts @ design.controls.counts)
