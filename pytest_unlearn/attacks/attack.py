"""Declare attacks: what may be compared, and how scores are judged.

All measures are on the AUC scale, where 0.5 is the target. How attacks are judged: the measures of their scores, all on
the AUC scale with 0.5 as the target.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pytest_unlearn.core.evidence import FloatArray, IntArray, Scores, Side
from pytest_unlearn.models.query import Query
from pytest_unlearn.statistics import Measure, accuracy_gap, auc_difference, auc_measure, folds, share_left, tie_share

Signal = Callable[..., FloatArray]  # Outputs -> one number an example, higher = more member-like
Access = Literal[
    "outputs", "labels", "references", "original", "retain set", "inputs", "further queries", "weights", "method"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """Say which examples are compared, and which are deleted together.

    Strata are classes to compare within (None compares all with all); groups are the units of deletion that intervals
    cluster by. Groups are numbered together: a number that occurs on both sides is one unit. None: examples are
    independent. `exchangeable` means that chance alone decided who is forgotten and who is a control.
    """

    forget_strata: IntArray | None = None
    control_strata: IntArray | None = None
    exchangeable: bool = False
    forget_groups: IntArray | None = None
    control_groups: IntArray | None = None

    @property
    def labels(self) -> dict[str, IntArray | None]:
        """Strata and groups, as the arguments of every measure of forget against controls."""
        return {
            "forget_strata": self.forget_strata,
            "control_strata": self.control_strata,
            "forget_groups": self.forget_groups,
            "control_groups": self.control_groups,
        }

    def units(self, n_forget: int, n_controls: int) -> IntArray | None:
        """Enumerate the units of forget examples, then of controls; None without groups."""
        if self.forget_groups is None and self.control_groups is None:
            return None
        sides = (self.forget_groups, n_forget), (self.control_groups, n_controls)
        names = [
            np.stack([np.full(size, 2 * side), np.arange(size)] if ids is None else [np.ones(size), ids], axis=1)
            for side, (ids, size) in enumerate(sides)
        ]
        return np.unique(np.concatenate(names), axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)

    def among_controls(self, chosen: IntArray) -> Pairing:
        """Keep some of the controls only."""
        return replace(
            self, control_strata=_some(self.control_strata, chosen), control_groups=_some(self.control_groups, chosen)
        )

    def among_forget(self, chosen: IntArray | NDArray[np.bool_]) -> Pairing:
        """Keep some of the forget examples only."""
        return replace(
            self, forget_strata=_some(self.forget_strata, chosen), forget_groups=_some(self.forget_groups, chosen)
        )

    def folds(self, n_forget: int, n_controls: int) -> IntArray:
        """Assign folds to forget examples, then controls: classes even, units whole."""
        member = np.repeat([1, 0], [n_forget, n_controls])
        strata = member
        if self.forget_strata is not None and self.control_strata is not None:
            labels = np.concatenate([self.forget_strata, self.control_strata])
            strata = 2 * np.unique(labels, return_inverse=True)[1].reshape(-1) + member
        return folds(strata, self.units(n_forget, n_controls))

    def tie_share(self, forget: FloatArray, controls: FloatArray) -> float:
        """Return the fraction of comparable forget-control pairs that tie."""
        return tie_share(forget, controls, forget_strata=self.forget_strata, control_strata=self.control_strata)


def _some(labels: IntArray | None, chosen: IntArray | NDArray[np.bool_]) -> IntArray | None:
    return None if labels is None else labels[chosen]


def share_of_scores(scores: Scores, original: Scores, pairing: Pairing) -> Measure:
    """Measure the share left of the original's AUC beyond chance."""
    return share_left(
        scores.forget,
        scores.controls,
        original.forget,
        original.controls,
        reference_forget=scores.reference_forget,
        reference_controls=scores.reference_controls,
        **pairing.labels,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """Declare a way to recognise the forget set, and the statistic that judges it.

    `score(target, references, pairing)` returns Scores; `measure(scores, pairing)` puts them on the AUC scale, where
    0.5 is the target under perfect unlearning. `signed` is False where the score is a distance from the controls'
    centre: PASS then asks for its upper bound alone.

    `share(scores, original, pairing)` measures the share left of what the attack shows in the original.

    `access` is what the attacker sees of the audited model and of others; `least_references` and `least_examples` are
    how many retrained models, and examples a side, it needs; `queries` what it asks besides logits, and `cost` what
    that amounts to. A `calibrated` attack has a raw AUC of 0.5 on a retrained model; any other is judged on its
    difference to the references' AUC. `sides` are those on which it can make a verdict FAIL.
    """

    name: str
    score: Callable[[Any, Sequence[Any], Pairing], Scores]  # of Answers, or of TextAnswers
    measure: Callable[[Scores, Pairing], Measure]
    share: Callable[[Scores, Scores, Pairing], Measure] = share_of_scores
    signed: bool = True
    sides: tuple[Side, ...] = ("high", "low")
    access: tuple[Access, ...] = ("outputs",)
    least_references: int = 0
    least_examples: int = 1
    queries: tuple[Query, ...] = ()
    cost: str = "nothing beyond the outputs"
    calibrated: bool = False
    source: str = ""


def scores_of(pairs: Sequence[tuple[FloatArray, FloatArray]], *, tie_share: float = 0.0, unfair: str = "") -> Scores:
    """Stack pairs (forget, controls) of the model, then references, into scores."""
    (forget, controls), *rest = pairs
    return Scores(
        forget=forget,
        controls=controls,
        reference_forget=np.array([pair[0] for pair in rest]) if rest else None,
        reference_controls=np.array([pair[1] for pair in rest]) if rest else None,
        tie_share=tie_share,
        unfair=unfair,
    )


def auc_of_scores(scores: Scores, pairing: Pairing) -> Measure:
    """Measure the AUC, or its paired difference to the references' where kept."""
    if scores.reference_forget is None or scores.reference_controls is None:
        return auc_measure(scores.forget, scores.controls, **pairing.labels)
    return auc_difference(
        scores.forget, scores.controls, scores.reference_forget, scores.reference_controls, **pairing.labels
    )


def cross_fitted_auc(scores: Scores, pairing: Pairing) -> Measure:
    """Measure the AUC of out-of-fold scores, with twice the variance.

    Fold A teaches about B much the same as B teaches about A: where there is nothing to learn, the mean over
    folds is a degenerate U-statistic, in which each pair of folds counts twice.
    """
    measure = auc_measure(scores.forget, scores.controls, **pairing.labels)
    return replace(
        measure,
        forget_variance=2.0 * measure.forget_variance,
        control_variance=2.0 * measure.control_variance,
        missing=2.0 * measure.missing,
        covariance=2.0 * measure.covariance,
        null_error=2.0**0.5 * measure.null_error,
    )


def cross_fitted_gap(scores: Scores, pairing: Pairing) -> Measure:
    """Measure out-of-fold scores that are 0 and 1, relative to any references."""
    return cross_fitted_auc(scores, pairing) if scores.reference_forget is None else gap_of_scores(scores, pairing)


def gap_of_scores(scores: Scores, pairing: Pairing) -> Measure:
    """Measure the share of ones on forget minus that on controls, as an AUC."""
    return accuracy_gap(
        scores.forget, scores.controls, scores.reference_forget, scores.reference_controls, **pairing.labels
    )
