"""The areas under a model's curves while it relearns, as ratios to those of retrained models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from pytest_unlearn.audits.case import Case
from pytest_unlearn.evidence import Estimate, FloatArray, Side
from pytest_unlearn.statistics import BandMeasure, band, holm, p_value

LEAST_SPREAD = 0.01  # of the logarithm of an area: loops differ by as much in their last digits


def retrained_curves(curves: dict[str, FloatArray]) -> list[FloatArray]:
    """Those of the references, by the names that `audit_not_relearnable` gives them."""
    return [curve for name, curve in curves.items() if name.startswith("retrained")]


def log_loss_area(curve: FloatArray) -> float:
    """The mean over seeds of the logarithm of the mean loss over examples and looks."""
    return float(np.log(np.maximum(curve[..., 0].mean(axis=(0, 2)), np.finfo(np.float64).tiny)).mean())


def log_error_area(curve: FloatArray) -> float:
    """The same of the share of wrong answers, which no temperature changes; none is taken for half an example."""
    errors = 1.0 - curve[..., 1].mean(axis=(0, 2))
    return float(np.log(np.maximum(errors, 0.5 / len(curve))).mean())


AREAS: Mapping[str, Callable[[FloatArray], float]] = {
    "area under the loss": log_loss_area,
    "area under the error rate": log_error_area,
}


def measure_areas(curve: FloatArray, references: Sequence[FloatArray], case: Case) -> dict[str, BandMeasure]:
    """A model's areas beside the references', as differences of logarithms."""
    return {
        name: band(area(curve), [area(one) for one in references], n_forget=len(case.forget), least_spread=LEAST_SPREAD)
        for name, area in AREAS.items()
    }


def excess(estimate: Estimate, highest: float) -> float:
    """How far beyond the limit the area may lie, on either side."""
    return max(estimate.high - highest, -highest - estimate.low)


def beyond_limits(measures: Mapping[str, BandMeasure], highest: float, alpha: float) -> list[tuple[str, Side]]:
    """The areas that are beyond the limit with certainty, and on which side (Holm over area x side)."""
    sides: tuple[Side, ...] = ("low", "high")
    tried = [(name, side) for name in measures for side in sides]
    adjusted = holm(
        np.array([p_value(measures[name], highest if side == "high" else -highest, side) for name, side in tried])
    )
    return [pair for pair, p in zip(tried, adjusted, strict=True) if p <= alpha]
