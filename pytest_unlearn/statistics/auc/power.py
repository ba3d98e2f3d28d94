"""Plan how many forget examples a claim needs; `auc` judges."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from pytest_unlearn.core.evidence import FloatArray
from pytest_unlearn.statistics.quantiles import degrees_of_freedom, normal_quantile, pooled_degrees, quantile
from pytest_unlearn.statistics.validation import check_confidence, check_count, check_open_unit

_MOST = 2**53  # counts beyond this are no longer exact in floating point, nor of use


@dataclass(frozen=True, slots=True, kw_only=True)
class NullPrecision:
    """What decides the precision of an AUC of exchangeable scores.

    `variances` and `degrees` of freedom are of forget set and controls, `units` and `control_units` how many
    independent units these have, and `apart` says that no unit is on both sides.
    """

    variances: tuple[float, float]
    degrees: tuple[float, float]
    units: int
    control_units: int
    apart: bool

    def of(self, times: float) -> tuple[float, float]:
        """Return standard error and degrees of freedom of `times` as many forget units.

        They are like those at hand, by strata and sizes, and the controls stay the same.
        """
        variances = self.variances[0] / times, self.variances[1]
        own = self.degrees[0] if self.units > 1 else 0.0
        degrees = times * (own + 1.0) - 1.0, self.degrees[1]
        error = math.sqrt(sum(variances))
        if min(times * self.units, self.control_units) < 2:
            return error, 0.0
        degrees = max(1.0, degrees[0]), degrees[1]
        return error, pooled_degrees(variances, degrees) if self.apart else min(degrees)


def binormal_auc_variance(auc: float, n_forget: float, n_controls: float) -> float:
    """Compute the variance of the AUC of equal-variance normal scores.

    `auc` in (0, 1), counts at least 1, `n_controls` possibly infinite. Returns the exact variance, with
    Q1 = Q2 = P(two forget examples both beat a control) by Owen's T. Source: Bamber 1975; Hanley & McNeil 1982.
    """
    a = check_open_unit("auc", auc)
    m, n = check_count("n_forget", n_forget), check_count("n_controls", n_controls)
    spread = float(binormal_spread(a))
    if math.isinf(n):
        return spread / m
    return (a * (1.0 - a) + (m + n - 2.0) * spread) / (m * n)


def binormal_spread(auc: ArrayLike) -> FloatArray:
    """Return the variance of placements of equal-variance normal scores.

    `auc` in [0, 1], of any shape.
    """
    a = np.asarray(auc, dtype=np.float64)
    both = a - 2.0 * special.owens_t(special.ndtri(a), 1.0 / math.sqrt(3.0))
    return np.asarray(both - a * a)


def power_to_certify(
    limit: float, auc: float, n_forget: float, n_controls: float, confidence: float = 0.95, two_sided: bool = False
) -> float:
    """Compute the probability of PASS when the AUC truly is `auc`.

    One-sided: the upper bound stays within `limit`, in (0.5, 1). Two-sided (TOST): the lower bound stays within
    1 - `limit` as well. Returns a probability. Raises ValueError for arguments out of range. Source: Schuirmann 1987.
    """
    _check_limit(limit)
    z = quantile(confidence, max(1.0, _degrees(n_forget, n_controls)))
    error = math.sqrt(binormal_auc_variance(auc, n_forget, n_controls))
    above = float(special.ndtr((limit - auc) / error - z))
    if not two_sided:
        return above
    return max(0.0, above + float(special.ndtr((auc - 1.0 + limit) / error - z)) - 1.0)


def required_forget(
    limit: float,
    *,
    auc: float = 0.5,
    controls_per_forget: float = 1.0,
    power: float = 0.8,
    confidence: float = 0.95,
    two_sided: bool = False,
) -> int | None:
    """Find the forget set's size that passes with probability `power`.

    The AUC truly is `auc`; `controls_per_forget` may be infinite. Returns the smallest such number, None when no number
    is enough because `auc` is not within the limit. Raises ValueError for arguments out of range.
    """
    _check_limit(limit)
    check_confidence(confidence)
    check_open_unit("power", power)
    ratio = _check_ratio(controls_per_forget)
    if auc >= limit or (two_sided and auc <= 1.0 - limit):
        return None
    return _smallest(lambda m: power_to_certify(limit, auc, m, max(1.0, ratio * m), confidence, two_sided) >= power)


def minimum_forget(limit: float, controls_per_forget: float = 1.0, confidence: float = 0.95) -> int:
    """Find the least size at which an observed AUC of 1/2 can pass.

    `limit` in (0.5, 1), `controls_per_forget` possibly infinite. Returns the smallest such number. Raises ValueError
    for arguments out of range.
    """
    _check_limit(limit)
    ratio = _check_ratio(controls_per_forget)
    found = _smallest(lambda m: certifiable_limit(m, max(1.0, ratio * m), confidence) <= limit)
    return found if found is not None else _MOST


def certifiable_limit(n_forget: int, n_controls: float, confidence: float = 0.95) -> float:
    """Return the smallest limit that an observed AUC of 1/2 would pass.

    `n_controls` may be infinite. Returns a number in (0.5, 1]: 1 means that nothing can be certified. Raises ValueError
    for counts below 1.
    """
    error = math.sqrt(binormal_auc_variance(0.5, n_forget, n_controls))
    return least_limit(error, _degrees(n_forget, n_controls), confidence)


def least_limit(error: float, degrees: float, confidence: float) -> float:
    """Return the smallest limit that an AUC of 1/2 with this standard error passes.

    `degrees` are the error's degrees of freedom. Returns a number in (0.5, 1], 1 without a degree. PASS asks for both:
    the bound of exchangeable scores, and the logit interval, which is wider for a handful of units.
    """
    if degrees <= 0.0:
        return 1.0
    exchangeable = 0.5 + normal_quantile(confidence) * error
    return min(1.0, max(exchangeable, float(special.expit(4.0 * quantile(confidence, degrees) * error))))


def _degrees(n_forget: float, n_controls: float) -> float:
    """Pool the degrees of two sides of exchangeable scores."""
    counts = n_forget, n_controls
    if min(counts) < 2:
        return 0.0
    shared = 0.5 / (n_forget * n_controls)
    return pooled_degrees([1.0 / k + shared for k in counts], [degrees_of_freedom(k) for k in counts])


def _smallest(enough: Callable[[int], bool]) -> int | None:
    """Find the smallest count with `enough`, which more examples never undo."""
    high = 1
    while not enough(high):
        if high >= _MOST:
            return None
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _check_limit(limit: float) -> None:
    if not 0.5 < limit < 1.0:
        raise ValueError(f"limit must lie strictly between 0.5 and 1, such as 0.55, not {limit!r}")


def _check_ratio(controls_per_forget: float) -> float:
    if not controls_per_forget > 0.0:
        raise ValueError(f"controls_per_forget must be positive (or infinite), not {controls_per_forget!r}")
    return float(controls_per_forget)
