"""Coarsen one model's statistic to what another model's answers can tell apart.

Rounded, saturated or missing probabilities hide a memory from an attack without removing it. An original that is asked
in full shows what the attack could find in full answers, and nothing of what it can find in these.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pytest_unlearn.core.evidence import FloatArray
from pytest_unlearn.statistics import normal_scores
from pytest_unlearn.statistics.validation import vector

HARDLY_MORE = 1.1  # times what is left unexplained, by which models of one kind may differ
DROWNED = 0.01  # a correlation so small that nothing would be seen
_APART = 1e-9  # values nearer to each other differ by the order in which probabilities were added up


def coarsened(values: ArrayLike, pattern: ArrayLike) -> FloatArray:
    """Tie a statistic's values as often as another's tie, in order of size.

    The lowest values become equal that are as many as the lowest equal ones of the pattern, then the next. Values that
    tie already stay together.

    Args:
        values: [n], the statistic of the model to be coarsened.
        pattern: [n], the same statistic of the model that reveals less, on the same examples.

    Returns:
        [n], each value replaced by the (lower) median of those it is tied with: the values themselves where the pattern
        has no ties, all equal where it has but one value.

    Raises:
        ValueError: for different lengths, and for values that are not finite.

    Source: ours.
    """
    given, shape = vector("values", values), np.sort(vector("pattern", pattern))
    if given.size != shape.size:
        raise ValueError(f"a pattern of {shape.size} examples does not go with {given.size} values: ask about the same")
    last = np.flatnonzero(np.append(np.diff(shape) > _APART, True))
    ordered = np.sort(given)
    middle = (np.searchsorted(ordered, given) + np.searchsorted(ordered, given, side="right") - 1) / 2.0
    level = np.searchsorted(last, middle)
    ends = np.cumsum(np.bincount(level, minlength=last.size))
    return np.asarray(ordered[(np.append(0, ends[:-1]) + ends - 1) // 2][level])


def noise_between(values: FloatArray, noisy: FloatArray, expected: FloatArray) -> float:
    """Return the noise behind which one statistic is as loose as another.

    Args:
        values: [n], the statistic of the model that is to be as noisy.
        noisy: [n], the same statistic of the other model, on the same controls.
        expected: [n], the references' mean of it.

    Returns:
        The standard deviation of normal noise to be added to normal scores; 0 where the other model leaves hardly more
        of its variance unexplained.
    """
    line = normal_scores(expected, expected)
    own, other = (max(0.0, _correlation(normal_scores(one, one), line)) for one in (values, noisy))
    if 1 - other**2 <= HARDLY_MORE * (1 - own**2) or own == 0.0:
        return 0.0
    return float(np.sqrt((own / max(other, DROWNED)) ** 2 - 1))


def _correlation(one: FloatArray, other: FloatArray) -> float:
    return float(np.corrcoef(one, other)[0, 1]) if np.ptp(one) and np.ptp(other) else 0.0
