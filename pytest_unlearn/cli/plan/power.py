"""Pair forget examples and controls as the audit will, before anything is trained."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from pytest_unlearn.claims.common import certify
from pytest_unlearn.claims.common.certify import POWER, Request, Shadowed
from pytest_unlearn.claims.common.inputs import AuditInputs, resolve_inputs
from pytest_unlearn.claims.common.shadows import could_be_shadowed
from pytest_unlearn.data.text.split import TextSplit
from pytest_unlearn.statistics import binormal_auc_variance
from pytest_unlearn.statistics.quantiles import quantile
from pytest_unlearn.task import UnlearningTask

COMPARISONS = 24  # attacks x sides in a standard audit, over which Holm corrects a FAIL


@dataclass(frozen=True, kw_only=True)
class Design:
    """Hold who is compared with whom.

    `request` is its size, `grouped` whether its units are groups that the split names, `scarcest` the class with the
    fewest controls and their number, None where classes are not matched. `shadowed` is what online attacks would take.
    """

    n_train: int
    classes: int
    request: Request
    grouped: bool
    scarcest: tuple[int, int] | None
    shadowed: Shadowed | None = None

    def online(self) -> Design:
        """Return it as online attacks compare, beside fewer controls."""
        if self.shadowed is None:
            return self
        return replace(self, request=self.request.with_controls(self.shadowed.controls))

    def found_from(self, original: float, limit: float, confidence: float) -> float | None:
        """Find the smallest remembered part of a request that likely (80%) FAILs.

        The part is drawn at random; `original` is the AUC where all is remembered. Returns the part, above 0 and at
        most 1; None where not even all of it would.
        """
        units, controls = self.request.units, self.request.control_units
        error, degrees = self.request.precision(units)
        z = quantile(1 - (1 - confidence) / COMPARISONS, max(1.0, degrees)) + quantile(POWER)
        cost = error / math.sqrt(binormal_auc_variance(0.5, units, controls))
        for percent in range(1, 101):
            auc = 0.5 + percent / 100 * (original - 0.5)
            if auc - z * cost * math.sqrt(binormal_auc_variance(auc, units, controls)) > limit:
                return percent / 100
        return None


def _never_asked(inputs: Any) -> Any:
    raise AssertionError(f"a design asks no model, and this one was asked about {len(inputs)} inputs")


def compared(task: UnlearningTask) -> AuditInputs:
    """Pair forget examples and controls as the audit does, without a model."""
    return resolve_inputs(
        task.forget,
        nonmembers=None,
        baseline=_never_asked,  # any model but the task's own, which asking for would train
        references=(),
        match="inherit",
        output=None,
        require_controls=False,
    )


def design(task: UnlearningTask) -> Design:
    """Describe who is compared with whom in a task's audit."""
    inputs = compared(task)
    pairing = inputs.pairing
    documents = isinstance(task.split, TextSplit)
    size = certify.request(len(inputs.forget), len(inputs.controls), **pairing.labels)
    scarcest = None
    if inputs.by_class:
        labels = inputs.controls.labels.tolist()
        scarcest = min(((labels.count(label), label) for label in sorted(set(labels))), default=None)
    return Design(
        n_train=len(task.split.train),
        classes=len(set(inputs.forget.labels.tolist())),
        request=replace(size, documents=documents),
        grouped=task.split.groups is not None,
        scarcest=(scarcest[1], scarcest[0]) if scarcest else None,
        shadowed=None if documents else could_be_shadowed(inputs),
    )
