"""Measure the AUC of forget against weighted controls.

It is what it were if the controls had the forget set's law.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from pytest_unlearn.core.evidence import Estimate, FloatArray
from pytest_unlearn.statistics.measure import estimate
from pytest_unlearn.statistics.overlap import effective_size
from pytest_unlearn.statistics.quantiles import quantile
from pytest_unlearn.statistics.validation import check_confidence, vector

LEAST_EFFECTIVE = 2.0  # controls, below which nothing estimates a variance


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedAucMeasure:
    """Measure a weighted AUC by its influence function.

    `variance` is that of the value, `effective` how many equally weighted controls (units) would tell as much, `units`
    the forget set's.
    """

    value: float
    variance: float
    effective: float
    units: int
    n_forget: int
    n_controls: int

    def at(self, confidence: float) -> Estimate:
        """Bound it on the logit scale by Student's t.

        Not at all where nothing estimates a variance. Where one set beats the other throughout, the bound is that of as
        many independent pairs as there are units.
        """
        alpha = 1.0 - check_confidence(confidence)
        low, high, method = 0.0, 1.0, "undefined: too few units"
        pairs = min(self.effective, float(self.units))
        if pairs >= LEAST_EFFECTIVE and self.value in (0.0, 1.0):
            seen = alpha ** (1.0 / pairs)
            low, high, method = (seen, 1.0, "exact pairs") if self.value else (0.0, 1.0 - seen, "exact pairs")
        elif pairs >= LEAST_EFFECTIVE and self.variance > 0.0:
            error = math.sqrt(self.variance) / (self.value * (1.0 - self.value))
            half, centre = quantile(confidence, pairs - 1.0) * error, special.logit(self.value)
            low, high = (float(special.expit(centre + sign * half)) for sign in (-1, 1))
            method = "weighted, logit, t"
        return estimate(self.value, low, high, confidence, method, self.n_forget, self.n_controls)


def weighted_auc(
    forget: ArrayLike,
    controls: ArrayLike,
    weights: ArrayLike,
    *,
    forget_groups: ArrayLike | None = None,
    control_groups: ArrayLike | None = None,
) -> WeightedAucMeasure:
    """Measure how well scores separate forget examples from weighted controls.

    `forget` [m] and `controls` [n] are finite scores, higher meaning more member-like. `weights` [n], at least 0, say
    how much more often each control occurs under the forget set's law: its odds e/(1-e) of a propensity e, up to a
    factor. `forget_groups` [m] and `control_groups` [n] name the unit an example belongs to, each side by itself.
    Returns a measure in [0, 1], 1/2 under perfect unlearning if the weights are right. They are taken as known: for
    odds that were estimated, out of fold, from what also decides the scores, the variance is if anything smaller
    (Hirano, Imbens & Ridder 2003), so that the interval errs on the wide side. Raises ValueError for empty or
    non-finite scores, weights below 0 or without any above, and other lengths. Source: the influence function of a
    two-sample U-statistic with weights, Newey & McFadden 1994, section 6; t with the effective size, Kish 1965.
    """
    forget, controls, weights = vector("forget", forget), vector("controls", controls), vector("weights", weights)
    if weights.size != controls.size:
        raise ValueError(f"weights must hold one number for each of {controls.size} controls, not {weights.size}")
    if (weights < 0.0).any() or not weights.any():
        raise ValueError("weights must be at least 0, and some above")
    shares = weights / weights.sum()
    beaten = _below(forget, controls, shares)
    beating = 1.0 - _below(controls, forget, np.full(forget.size, 1.0 / forget.size))
    value = float(min(1.0, max(0.0, beaten.mean())))
    ours = _totals((beaten - value) / forget.size, forget_groups, "forget_groups")
    theirs = _totals(shares * (beating - value), control_groups, "control_groups")
    owned = _totals(weights, control_groups, "control_groups")
    effective = effective_size(owned)
    variance = float(ours @ ours) * _correction(ours.size) + float(theirs @ theirs) * _correction(effective)
    return WeightedAucMeasure(
        value=value,
        variance=variance,
        effective=effective,
        units=int(ours.size),
        n_forget=int(forget.size),
        n_controls=int(controls.size),
    )


def _below(values: FloatArray, others: FloatArray, shares: FloatArray) -> FloatArray:
    """Return the share of `others` [n] that each of `values` exceeds, equals by half."""
    order = np.argsort(others, kind="stable")
    passed = np.concatenate([[0.0], np.cumsum(shares[order])])
    ends = (np.searchsorted(others[order], values, "left"), np.searchsorted(others[order], values, "right"))
    return np.asarray((passed[ends[0]] + passed[ends[1]]) / 2.0)


def _totals(values: FloatArray, groups: ArrayLike | None, name: str) -> FloatArray:
    """Add up values by unit."""
    if groups is None:
        return values
    ids = np.asarray(groups)
    if ids.shape != values.shape:
        raise ValueError(f"{name} must hold one label for each of {values.size} examples but has shape {ids.shape}")
    return np.bincount(np.unique(ids, return_inverse=True)[1].reshape(-1), weights=values).astype(np.float64)


def _correction(units: float) -> float:
    return units / (units - 1.0) if units > 1.0 else 1.0
