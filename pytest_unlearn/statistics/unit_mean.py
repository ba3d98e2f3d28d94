"""The mean of numbers that are standard normal by construction unless there is something to find."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from pytest_unlearn.evidence import Estimate, FloatArray
from pytest_unlearn.statistics.intervals import normal_quantile, quantile
from pytest_unlearn.statistics.validation import vector


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitMean:
    """The mean of `values`, each exactly N(0, 1) and independent under the null.

    Bounds take the wider of the known spread (normal) and the observed one (Student's t): never less than chance gives.
    """

    values: FloatArray

    def __post_init__(self) -> None:
        """Refuse values that are not finite numbers in a row."""
        vector("values", self.values)

    @property
    def value(self) -> float:
        """The mean."""
        return float(self.values.mean())

    @property
    def z(self) -> float:
        """sqrt(n) times the mean: exactly N(0, 1) under the null."""
        return math.sqrt(self.values.size) * self.value

    def at(self, confidence: float) -> Estimate:
        """The mean with its bounds."""
        n = self.values.size
        half = normal_quantile(confidence)
        if n > 1:
            half = max(half, quantile(confidence, n - 1.0) * float(np.std(self.values, ddof=1)))
        half /= math.sqrt(n)
        return Estimate(
            value=self.value,
            low=self.value - half,
            high=self.value + half,
            confidence=confidence,
            method="unit mean",
            n_forget=n,
        )

    def chance(self) -> float:
        """How likely is a mean as high, or higher, under the null? Exact."""
        return float(special.ndtr(-self.z))
