"""A difference of bounded means to references: per-side half widths in quadrature, none of them ever zero."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pytest_unlearn.evidence import Estimate
from pytest_unlearn.statistics.intervals import degrees_of_freedom, pooled_degrees, quantile, unseen_half_width
from pytest_unlearn.statistics.validation import check_confidence


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferenceMeasure:
    """`value` with the sampled sides behind it, each (variance of what it adds to the value, independent units).

    `covariance` is that of two sides that share units; it never outweighs their variances.
    `reference_variance` is that of the references' mean, over `references` of them. Sides and references are measured
    in units of 1/`scale` of the value. `sparse` data (0/1 outcomes that mostly agree) get Wilson's half width, which
    does not trust a variance estimated from a few disagreements.
    """

    value: float
    sides: tuple[tuple[float, int], ...]
    reference_variance: float
    references: int
    lowest: float
    highest: float
    scale: float
    sparse: bool
    method: str
    n_forget: int
    n_controls: int
    covariance: float = 0.0

    def at(self, confidence: float) -> Estimate:
        """Symmetric one-sided bounds at `confidence` (MOVER, Zou & Donner 2008), clipped to the quantity's range."""
        check_confidence(confidence)
        low, high, method = self.lowest, self.highest, "undefined: a single unit"
        if min(units for _, units in self.sides) > 1:
            half, few = self._half_width(confidence)
            low, high = max(low, self.value - half), min(high, self.value + half)
            method = f"{self.method}, t" if few else self.method
        return Estimate(
            value=self.value,
            low=low,
            high=high,
            confidence=confidence,
            method=method,
            n_forget=self.n_forget,
            n_controls=self.n_controls,
        )

    def _half_width(self, confidence: float) -> tuple[float, bool]:
        few = degrees_of_freedom(min(units for _, units in self.sides))
        data = max(0.0, sum(variance for variance, _ in self.sides) + 2.0 * self.covariance)
        degrees = pooled_degrees((data, few), (self.reference_variance, self.references - 1.0))
        q = quantile(confidence, min(degrees, few))
        squares = 2.0 * q * q * self.covariance
        for variance, units in self.sides:
            spread, unseen = q * math.sqrt(variance), unseen_half_width(q, units)
            half = unseen / 2.0 + math.hypot(spread, unseen / 2.0) if self.sparse else max(spread, unseen)
            squares += half * half
        if self.covariance < 0.0:  # sides that cancel say nothing of the units that were not seen
            squares = max(squares, unseen_half_width(q, min(units for _, units in self.sides)) ** 2)
        return self.scale * math.sqrt(squares + q * q * self.reference_variance), few < math.inf
