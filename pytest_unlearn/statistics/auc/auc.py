"""Measure the AUC of forget against controls; its interval never collapses."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from pytest_unlearn.core.evidence import Estimate, FloatArray
from pytest_unlearn.statistics.auc.placement_sums import PlacementSums, placement_sums
from pytest_unlearn.statistics.auc.placements import by_stratum, stratified_placements
from pytest_unlearn.statistics.auc.power import NullPrecision, binormal_auc_variance, least_limit
from pytest_unlearn.statistics.auc.strata import Layout, Sides, labels, layout
from pytest_unlearn.statistics.auc.unit_sums import unit_sums
from pytest_unlearn.statistics.measure import estimate
from pytest_unlearn.statistics.quantiles import FEW_UNITS, pooled_degrees, quantile
from pytest_unlearn.statistics.validation import check_confidence, check_count, vector

_LONG = 2_000  # examples a stratum from which strata are better sorted one by one
NOTHING = 1e-30  # placements are multiples of 1/(2n), so a true variance is far above the rounding of equal ones


@dataclass(frozen=True, slots=True, kw_only=True)
class AucMeasure:
    """Measure an AUC by DeLong's variance in two parts, one for each side.

    `units` and `control_units` are the numbers of groups (of examples where there are none), `covariance` that of the
    two sides where groups have examples on both, `pairs` the number of independent forget-control pairs, `null_error`
    the standard error that exchangeable scores of as many independent units would have. `missing` is what the variance
    lacks where units are unequal, or so few that they look alike by luck; `degrees` are its degrees of freedom. `worth`
    is how many units of one stratum would show as much, by side.
    """

    value: float
    forget_variance: float
    control_variance: float
    n_forget: int
    n_controls: int
    units: int
    control_units: int
    pairs: float
    null_error: float
    missing: float
    degrees: float
    worth: tuple[float, float]
    covariance: float = 0.0

    @property
    def variance(self) -> float:
        """DeLong's variance, clustered where there are groups; NaN for a single unit."""
        return max(0.0, self.forget_variance + self.control_variance + 2.0 * self.covariance)

    def at(self, confidence: float) -> Estimate:
        """Bound it by logit-DeLong; exactly, or not at all, where that has no width."""
        alpha = 1.0 - check_confidence(confidence)
        tied = self.forget_variance <= NOTHING, self.control_variance <= NOTHING
        if min(self.units, self.control_units) < 2:
            low, high, method = 0.0, 1.0, "undefined: a single unit"
        elif self.value == 1.0:
            low, high, method = alpha ** (1.0 / self.pairs), 1.0, "exact pairs"
        elif self.value == 0.0:
            low, high, method = 0.0, 1.0 - alpha ** (1.0 / self.pairs), "exact pairs"
        elif all(tied):
            low, high, method = 0.0, 1.0, "undefined: all scores tie"
        else:
            low, high, method = self._logit(confidence)
            if any(tied):
                # One side is constant, which is no evidence on values it has not shown: up to 1 - alpha^(1/units)
                # of them may lie at the far end (the exact bound for zero events).
                seen = alpha ** (1.0 / self.worth[0 if tied[0] else 1])
                low, high, method = low * seen, 1.0 - (1.0 - high) * seen, f"{method}, one side tied"
            elif self.covariance < 0.0:
                # Sides that cancel are no evidence on units that were not seen either.
                seen = alpha ** (1.0 / min(self.worth))
                low, high = min(low, self.value * seen), max(high, 1.0 - (1.0 - self.value) * seen)
        return estimate(self.value, float(low), float(high), confidence, method, self.n_forget, self.n_controls)

    def _logit(self, confidence: float) -> tuple[float, float, str]:
        error = math.sqrt(self.variance + self.missing) / (self.value * (1.0 - self.value))
        half = quantile(confidence, self.degrees) * error
        centre = special.logit(self.value)
        method = "logit-DeLong, t" if self.degrees < math.inf else "logit-DeLong"
        return float(special.expit(centre - half)), float(special.expit(centre + half)), method


def auc_measure(
    forget: ArrayLike,
    controls: ArrayLike,
    *,
    forget_strata: ArrayLike | None = None,
    control_strata: ArrayLike | None = None,
    forget_groups: ArrayLike | None = None,
    control_groups: ArrayLike | None = None,
) -> AucMeasure:
    """Measure how well scores separate forget examples from controls.

    `forget` [m] and `controls` [n] are finite scores, higher meaning more member-like. `forget_strata` [m] and
    `control_strata` [n] restrict comparisons to the same stratum (class): strata are weighted by their forget
    examples, and controls of other strata are ignored. `forget_groups` [m] and `control_groups` [n] name the unit of
    deletion (a person): examples of a group are not independent, on one side or, under the same name, on both;
    without groups the examples of a side are. Returns a measure in [0, 1], 1/2 under perfect unlearning. Raises
    ValueError for empty or non-finite scores, label arrays of the wrong length, and a forget stratum without a control.
    Sources: DeLong 1988; logit interval, Pepe 2003 (5.2); clusters, Obuchowski 1997.
    """
    forget, controls = vector("forget", forget), vector("controls", controls)
    grouped = forget_groups is not None or control_groups is not None
    if forget_strata is None and control_strata is None and not grouped and _many(forget.size, controls.size):
        sums = placement_sums(forget, controls)
        if sums is not None:
            return _of_sums(sums)
    if grouped and forget_strata is None and control_strata is None and _many(forget.size, controls.size):
        found = _of_units(forget, controls, forget_groups, control_groups)
        if found is not None:
            return found
    design = layout(forget.size, controls.size, forget_strata, control_strata, forget_groups, control_groups)
    if not grouped and forget.size + controls.size >= _LONG * design.weights.size:
        found = _by_stratum(forget, controls[design.kept], design)
        if found is not None:
            return found
    v10, v01 = stratified_placements(forget, controls[design.kept], design)
    value = float(v10.mean())
    parts = design.forget.parts(v10), design.controls.parts(v01)
    floors = binormal_parts(value, design.null_parts), design.alike(parts)
    return AucMeasure(
        value=value,
        forget_variance=float(parts[0].sum()),
        control_variance=float(parts[1].sum()),
        n_forget=design.forget.size,
        n_controls=design.controls.size,
        units=design.forget.units,
        control_units=design.controls.units,
        pairs=design.independent_pairs,
        null_error=_null_error(design),
        missing=design.missing(parts, *floors),
        degrees=design.degrees(parts, *floors),
        worth=design.worth,
        covariance=design.covariance(v10, v01),
    )


def binormal_parts(value: float, null_parts: Sides) -> Sides:
    """Turn null variances into those of equal-variance binormal scores of this AUC."""
    ratio = 12.0 * binormal_auc_variance(value, 1, math.inf) if 0.0 < value < 1.0 else 0.0
    return ratio * null_parts[0], ratio * null_parts[1]


def _many(*counts: int) -> bool:
    """Tell whether every variance is known so well that no few units correct it."""
    return min(counts) >= FEW_UNITS


def _of_sums(sums: PlacementSums) -> AucMeasure:
    """Measure many scores that come neither in strata nor in groups."""
    m, n = sums.n_forget, sums.n_controls
    return AucMeasure(
        value=sums.auc,
        forget_variance=sums.forget_variance,
        control_variance=sums.control_variance,
        n_forget=m,
        n_controls=n,
        units=m,
        control_units=n,
        pairs=min(m, n),
        null_error=null_standard_error(m, n),
        missing=0.0,
        degrees=math.inf,
        worth=(m, n),
    )


def _of_units(
    forget: FloatArray, controls: FloatArray, forget_groups: ArrayLike | None, control_groups: ArrayLike | None
) -> AucMeasure | None:
    """Measure many units of one stratum; None where they are few, or scores tie."""
    given = (forget_groups, "forget_groups", forget.size), (control_groups, "control_groups", controls.size)
    ours, theirs = (None if ids is None else labels(name, ids, size) for ids, name, size in given)
    sums = unit_sums(forget, controls, ours, theirs)
    if sums is None or not _many(*sums.units):
        return None
    first, second, both = sums.variances
    designs, units, apart = sums.sizes, sums.units, sums.all_units == sum(sums.units)
    sure = units[0] == forget.size or first == 0.0, units[1] == controls.size or second == 0.0
    degrees = [math.inf if one else float(design.degrees[0]) for one, design in zip(sure, designs, strict=True)]
    m, n = (float(design.effective[0]) for design in designs)
    return AucMeasure(
        value=sums.auc,
        forget_variance=first,
        control_variance=second,
        n_forget=forget.size,
        n_controls=controls.size,
        units=units[0],
        control_units=units[1],
        pairs=float(min(*units, sums.all_units // 2)),
        null_error=null_standard_error(m, n),
        missing=first / float(designs[0].shown[0]) - first + second / float(designs[1].shown[0]) - second,
        degrees=pooled_degrees((first, second), degrees) if apart else min(degrees),
        worth=(float(units[0]), float(units[1])),
        covariance=both,
    )


def _by_stratum(forget: FloatArray, controls: FloatArray, design: Layout) -> AucMeasure | None:
    """Measure few strata of many single examples each; None where some are few."""
    sides = [(forget, design.forget), (controls, design.controls)]
    if not _many(*(int(side.counts.min()) for _, side in sides)):
        return None
    pieces = [np.split(scores[by_stratum(side.strata)], np.cumsum(side.counts)[:-1]) for scores, side in sides]
    sums = [placement_sums(ours, theirs) for ours, theirs in zip(*pieces, strict=True)]
    known = [one for one in sums if one is not None]
    if len(known) < len(sums):
        return None
    weights = design.weights
    return AucMeasure(
        value=float(sum(weight * one.auc for weight, one in zip(weights, known, strict=True))),
        forget_variance=float(sum(w * w * one.forget_variance for w, one in zip(weights, known, strict=True))),
        control_variance=float(sum(w * w * one.control_variance for w, one in zip(weights, known, strict=True))),
        n_forget=forget.size,
        n_controls=controls.size,
        units=design.forget.units,
        control_units=design.controls.units,
        pairs=design.independent_pairs,
        null_error=_null_error(design),
        missing=0.0,
        degrees=math.inf,
        worth=design.worth,
    )


def can_certify(
    limit: float,
    confidence: float,
    n_forget: int,
    n_controls: int,
    *,
    forget_strata: ArrayLike | None = None,
    control_strata: ArrayLike | None = None,
    forget_groups: ArrayLike | None = None,
    control_groups: ArrayLike | None = None,
) -> bool:
    """Tell whether an observed AUC of exactly 0.5 would pass.

    PASS asks for it besides its bounds: the standard error of a handful of examples can be small by luck, that of
    exchangeable scores, (m + n + 1) / (12 m n) a stratum of m and n units, cannot. Arguments as in `auc_measure`.
    """
    error, degrees = null_precision(
        n_forget,
        n_controls,
        forget_strata=forget_strata,
        control_strata=control_strata,
        forget_groups=forget_groups,
        control_groups=control_groups,
    )
    return least_limit(error, degrees, confidence) <= limit


def null_precision(
    n_forget: int,
    n_controls: int,
    *,
    forget_strata: ArrayLike | None = None,
    control_strata: ArrayLike | None = None,
    forget_groups: ArrayLike | None = None,
    control_groups: ArrayLike | None = None,
) -> tuple[float, float]:
    """Return the null standard error of an AUC, and its degrees of freedom.

    Arguments as in `auc_measure`. The degrees are 0 where a side is a single unit: nothing estimates a variance then.
    """
    return null_design(
        n_forget,
        n_controls,
        forget_strata=forget_strata,
        control_strata=control_strata,
        forget_groups=forget_groups,
        control_groups=control_groups,
    ).of(1.0)


def null_design(
    n_forget: int,
    n_controls: int,
    *,
    forget_strata: ArrayLike | None = None,
    control_strata: ArrayLike | None = None,
    forget_groups: ArrayLike | None = None,
    control_groups: ArrayLike | None = None,
) -> NullPrecision:
    """Return what decides the precision of an AUC of exchangeable scores.

    Arguments as in `auc_measure`.
    """
    design = layout(n_forget, n_controls, forget_strata, control_strata, forget_groups, control_groups)
    variances, degrees = design.sides(design.null_parts)
    return NullPrecision(
        variances=variances,
        degrees=degrees,
        units=design.forget.units,
        control_units=design.controls.units,
        apart=design.apart,
    )


def null_standard_error(n_forget: float, n_controls: float) -> float:
    """Return the AUC's standard error for exchangeable, untied scores.

    Returns sqrt((m+n+1)/(12mn)); raises ValueError for counts below 1. Source: Mann & Whitney 1947.
    """
    m, n = check_count("n_forget", n_forget), check_count("n_controls", n_controls)
    return math.sqrt((m + n + 1.0) / (12.0 * m * n))


def _null_error(design: Layout) -> float:
    return math.sqrt(sum(float(part.sum()) for part in design.null_parts))
