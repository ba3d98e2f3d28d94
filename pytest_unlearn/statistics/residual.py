"""Keep of a model's scores what references cannot explain.

No monotone change of its outputs can hide it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from pytest_unlearn.core.evidence import FloatArray, IntArray
from pytest_unlearn.statistics.auc.placements import Midranks, midranks
from pytest_unlearn.statistics.auc.strata import layout
from pytest_unlearn.statistics.validation import vector


def normal_scores(values: ArrayLike, controls: ArrayLike) -> FloatArray:
    """Rank each value among the controls, on the normal scale.

    `values` [m], `controls` [n]; returns Phi^-1((less + equal/2 + 1/2)/(n+1)) [m], counting the controls less than and
    equal to each value; for a control itself that is midrank/(n+1). Raises ValueError for empty or non-finite values.
    Source: van der Waerden 1952.
    """
    values, controls = vector("values", values), vector("controls", controls)
    is_control = np.arange(values.size + controls.size) >= values.size
    beaten = midranks(np.concatenate([values, controls])).beaten(is_control)
    return np.asarray(special.ndtri((beaten[: values.size] + 0.5) / (controls.size + 1.0)))


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
    alike in distribution under perfect unlearning, for a control is ranked among the others and held to the line of the
    others (leave-one-out). By ranks and a line in which it had a say it would look better explained than an example
    that had none. Ranks make it invariant to any increasing transformation of the model's outputs (such as a
    temperature), behind which a plain difference to the references can be hidden. Where the references' scores do not
    vary, the slope is 0. O((m+n) log(m+n)). Raises ValueError for non-finite values and unequal lengths. Source:
    leave-one-out residuals, Allen 1974.

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
        both, expected = np.concatenate([forget, controls]), np.concatenate([reference_forget, reference_controls])
        left = _left_of_others(_Ranks.of(expected), _Ranks.of(both))
        return left[: forget.size], left[forget.size :]
    x, y = _Ranks.of(reference_controls), _Ranks.of(controls)
    slope = _slope(x.scores @ x.scores, x.scores @ y.scores, x.scores.sum(), y.scores.sum(), controls.size)
    level = y.scores.mean() - slope * x.scores.mean()
    left = normal_scores(forget, controls) - level - slope * normal_scores(reference_forget, reference_controls)
    others = _left_of_others(x, y)
    if not _occur(forget, controls[y.table.order]):
        return left, others
    twins, has_twin = _twins(_pairs(reference_forget, forget), _pairs(reference_controls, controls))
    return np.where(has_twin, others[twins], left), others


def _pairs(x: FloatArray, y: FloatArray) -> NDArray[np.complex128]:
    """Join two values of each example to one that can be sorted."""
    joined = np.empty(x.size, dtype=np.complex128)
    joined.real, joined.imag = x, y
    return joined


def _occur(values: FloatArray, ordered: FloatArray) -> bool:
    """Tell whether any of these values is among those in order."""
    return bool((ordered[np.minimum(np.searchsorted(ordered, values), ordered.size - 1)] == values).any())


def _twins(forget: NDArray[np.complex128], controls: NDArray[np.complex128]) -> tuple[IntArray, NDArray[np.bool_]]:
    """Find a control with the same values for each forget example, and whether there is one.

    Where scores tie, an example must tie with its twins, whichever of them was left out.
    """
    order = np.argsort(controls, kind="stable")
    found = order[np.minimum(np.searchsorted(controls, forget, sorter=order), controls.size - 1)]
    return found, controls[found] == forget


_NO_SPREAD = 1e-9  # normal scores that do not all tie vary by far more


def _slope(xx: Any, xy: Any, sum_x: Any, sum_y: Any, count: int) -> Any:
    """Fit a line by least squares to sums over `count` points; 0 without spread."""
    spread, common = xx - sum_x * sum_x / count, xy - sum_x * sum_y / count
    return np.where(spread > _NO_SPREAD, common / np.maximum(spread, _NO_SPREAD), 0.0)


def _left_of_others(x: _Ranks, y: _Ranks) -> FloatArray:
    """Return what a line through all other controls, ranked among themselves, leaves of each."""
    count = max(1, x.ranks.size - 1)
    sum_x, sum_y = x.others(x.middle, x.half), y.others(y.middle, y.half)
    xx = x.others(x.middle**2 + x.half**2, 2.0 * x.middle * x.half)
    # A product changes by both scores' halves at once; where they change in opposite ways that is of second order.
    together = x.middle * y.middle + x.half * y.half
    xy = together.sum() - together + x.turned(x.half * y.middle) + y.turned(y.half * x.middle)
    slope = _slope(xx, xy, sum_x, sum_y, count)
    return np.asarray(y.own - sum_y / count - slope * (x.own - sum_x / count))


@dataclass(frozen=True, slots=True)
class _Ranks:
    """Hold the midranks [n] of n values, and their normal scores with one of them left out.

    That of a value is `middle` + `half` while a lesser one is left out, `middle` - `half` while a greater one is.
    """

    table: Midranks
    ranks: FloatArray
    middle: FloatArray
    half: FloatArray

    @staticmethod
    def of(values: FloatArray) -> _Ranks:
        """Rank these values."""
        table, n = midranks(values), values.size
        ranks = table.beaten(np.ones(n, dtype=np.bool_)) + 0.5
        low, high = np.maximum(ranks - 1.0, 0.5), np.minimum(ranks, n - 0.5)
        # There is nothing less than the least or greater than the greatest to be left out.
        low, high = np.where(ranks > 1.0, low, high), np.where(ranks < n, high, low)
        low, high = special.ndtri(low / n), special.ndtri(high / n)
        return _Ranks(table, ranks, (low + high) / 2.0, (low - high) / 2.0)

    @property
    def scores(self) -> FloatArray:
        """The scores with none left out."""
        return np.asarray(special.ndtri(self.ranks / (self.ranks.size + 1.0)))

    @property
    def own(self) -> FloatArray:
        """The score of each among all others."""
        return np.asarray(special.ndtri((self.ranks - 0.5) / self.ranks.size))

    def others(self, middle: FloatArray, half: FloatArray) -> FloatArray:
        """Add up, for each value left out, what the others then have."""
        return np.asarray(middle.sum() - middle + self.turned(half))

    def turned(self, weights: FloatArray) -> FloatArray:
        """Add up the weights of greater values less those of lesser ones, for each."""
        passed = np.concatenate([[0.0], np.cumsum(weights[self.table.order])])
        below, up_to = passed[self.table.ends[:-1]], passed[self.table.ends[1:]]
        return np.asarray(passed[-1] - (below + up_to)[self.table.runs])


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
