"""Compute which limit a forget set can certify, before anything is trained."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pytest_unlearn.claims.common.advice import POWER
from pytest_unlearn.claims.common.inputs import resolve_inputs
from pytest_unlearn.statistics import (
    auc_measure,
    binormal_auc_variance,
    least_limit,
    minimum_forget,
    null_precision,
    required_forget,
)
from pytest_unlearn.statistics.quantiles import quantile
from pytest_unlearn.task import UnlearningTask

COMPARISONS = 24  # attacks x sides in a standard audit, over which Holm corrects a FAIL


@dataclass(frozen=True, kw_only=True)
class Design:
    """Hold what decides the width of an interval before there are any scores.

    `units` and `control_units` are the independent units of the forget set and of the controls, `error` the standard
    error of an AUC under perfect unlearning and `degrees` its degrees of freedom, `scarcest` the class with the fewest
    controls and their number, None where classes are not matched.
    """

    n_train: int
    n_forget: int
    n_controls: int
    classes: int
    units: int
    control_units: int
    grouped: bool
    error: float
    degrees: float
    scarcest: tuple[int, int] | None

    def smallest_limit(self, confidence: float) -> float:
        """Find the smallest limit that an AUC of 1/2 would pass; 1 where there is none."""
        return least_limit(self.error, self.degrees, confidence)

    def power(self, limit: float, confidence: float) -> float:
        """Compute the chance that one deciding attack lets a perfect method pass."""
        from scipy import special

        if self.smallest_limit(confidence) > limit:
            return 0.0
        room = (limit - 0.5) / self.error - quantile(confidence, self.degrees)
        return max(0.0, 2.0 * float(special.ndtr(room)) - 1.0)

    def found_from(self, original: float, limit: float, confidence: float) -> float | None:
        """Find the smallest remembered part of a request that likely (80%) FAILs.

        The part is drawn at random; `original` is the AUC where all is remembered. Returns the part, above 0 and at
        most 1; None where not even all of it would.
        """
        z = quantile(1 - (1 - confidence) / COMPARISONS, max(1.0, self.degrees)) + quantile(POWER)
        cost = self.error / math.sqrt(binormal_auc_variance(0.5, self.units, self.control_units))
        for percent in range(1, 101):
            auc = 0.5 + percent / 100 * (original - 0.5)
            error = cost * math.sqrt(binormal_auc_variance(auc, self.units, self.control_units))
            if auc - z * error > limit:
                return percent / 100
        return None

    def certified_share(self, original: float, confidence: float) -> float | None:
        """Find the share that a perfect method is likely (80%) shown to leave at most.

        `original` is the AUC of the original. The two excesses are taken to be independent, which errs on the wide
        side. Returns the share, above 0 and below 1; None where it would not be told from the original.
        """
        reach = quantile(confidence, max(1.0, self.degrees)) + quantile(0.5 + POWER / 2)  # on both sides of chance
        cost = self.error / math.sqrt(binormal_auc_variance(0.5, self.units, self.control_units))
        known = cost * math.sqrt(binormal_auc_variance(original, self.units, self.control_units))
        square = (original - 0.5) ** 2 - (reach * known) ** 2
        share = reach * self.error / math.sqrt(square) if square > 0 else math.inf
        return share if share < 1 else None

    def needed(self, limit: float, confidence: float) -> tuple[int, int]:
        """Find how many units make a PASS possible, and how many likely (80%)."""
        ratio = self.control_units / self.units
        # Strata and groups cost something beside one plain comparison of as many units.
        cost = self.error**2 / binormal_auc_variance(0.5, self.units, self.control_units)
        likely = required_forget(limit, controls_per_forget=ratio, confidence=confidence, two_sided=True)
        assert likely is not None  # 1/2 is within every limit
        return math.ceil(cost * minimum_forget(limit, ratio, confidence)), math.ceil(cost * likely)


def design(task: UnlearningTask) -> Design:
    """Pair forget examples and controls as the audit does, without a model."""
    inputs = resolve_inputs(
        task.forget,
        nonmembers=None,
        baseline=object(),  # any model but the task's own, which asking for would train
        references=(),
        match="inherit",
        output=None,
        require_controls=False,
    )
    pairing = inputs.pairing
    measure = auc_measure(range(len(inputs.forget)), range(len(inputs.controls)), **pairing.labels)
    error, degrees = null_precision(measure.n_forget, len(inputs.controls), **pairing.labels)
    scarcest = None
    if pairing.control_strata is not None:
        labels = inputs.controls.labels.tolist()
        scarcest = min(((labels.count(label), label) for label in sorted(set(labels))), default=None)
    return Design(
        n_train=len(task.split.train),
        n_forget=measure.n_forget,
        n_controls=measure.n_controls,
        classes=len(set(inputs.forget.labels.tolist())),
        units=measure.units,
        control_units=measure.control_units,
        grouped=task.split.groups is not None,
        error=error,
        degrees=degrees,
        scarcest=(scarcest[1], scarcest[0]) if scarcest else None,
    )
