"""Match forget examples with controls of alike covariates or propensity.

Where the forget set follows another law than the controls, an honest model answers it otherwise, and no leak is needed
for an attack to tell them apart. Given a balancing score both are alike (Rosenbaum & Rubin 1983). What has no
comparable control cannot be judged: it leaves, is counted, and withholds PASS where it is more than a few.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pytest_unlearn.attacks.attack import Pairing
from pytest_unlearn.attacks.signals import logit_scaled_confidence
from pytest_unlearn.claims.common import advice
from pytest_unlearn.claims.common.findings import AttackFinding
from pytest_unlearn.claims.common.propensity import features, log_odds, stand_ins
from pytest_unlearn.claims.common.verdict import Objection, doubt, invalid
from pytest_unlearn.core.evidence import Answers, Estimate, FloatArray, IntArray
from pytest_unlearn.data.matching import PROPENSITY, Matching
from pytest_unlearn.data.view import View
from pytest_unlearn.statistics import (
    auc_measure,
    balancing_strata,
    crossed_strata,
    effective_size,
    midrank_share,
    overlapping,
    strata_weights,
)
from pytest_unlearn.statistics.overlap import LEAST_NEAR, NOWHERE

LEAST_UNITS = 10  # a side, to estimate a propensity from
EXACT = 20  # distinct values of a covariate, up to which only equal ones are compared
MOST_LEFT_OUT = 0.05  # of the forget set: more is not audited in a claim that PASSes
LEAST_COMPARED = 0.5  # of the forget set, below which the comparison is of another request
LEAST_EFFECTIVE = 10.0  # equally weighted controls that the matched ones are worth
FOLLOWS = 0.95  # of the rank correlation that a covariate could have at most with a model's scores


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """Hold who is compared with whom.

    `kept` are positions in the forget set of `size` examples and `controls` those among the controls; strata are of
    these. `values` [kept + controls, columns] are the covariates that the caller chose, none for a propensity of
    inputs; `odds` those of the controls that are kept, where there is a propensity. `stand_ins` [models, kept +
    controls] are what simple models of retain make of each label, if there are any.
    """

    name: str
    size: int
    kept: IntArray
    controls: IntArray
    forget_strata: IntArray
    control_strata: IntArray
    values: FloatArray | None = None
    odds: FloatArray | None = None
    stand_ins: FloatArray | None = None

    @property
    def left_out(self) -> int:
        """How many forget examples have no comparable control."""
        return self.size - len(self.kept)

    @property
    def effective(self) -> float:
        """How many equally weighted controls would tell as much."""
        return effective_size(strata_weights(self.forget_strata, self.control_strata)) if len(self.controls) else 0.0

    @property
    def fails(self) -> str:
        """Say that forget set and controls do not overlap; empty where they do."""
        gone = f"{self.left_out} of {self.size} forget examples have no comparable control"
        if len(self.kept) < LEAST_COMPARED * self.size or not len(self.kept):
            return f"no overlap: matched by {self.name}, {gone}, so that nothing says what an honest model does there"
        if self.effective < LEAST_EFFECTIVE:
            return (
                f"no overlap: matched by {self.name}, the controls are worth {self.effective:.1f} equally weighted ones"
            )
        return ""

    def objections(self) -> list[Objection]:
        """Return why nothing can be said, or PASS is withheld: lack of overlap."""
        if self.fails:
            return [invalid(self.fails, advice.NO_OVERLAP)]
        if self.left_out > MOST_LEFT_OUT * self.size:
            share = f"{self.left_out / self.size:.0%}"
            return [
                doubt(
                    f"{self.left_out} of {self.size} forget examples ({share}) have no comparable control and are not "
                    f"audited: PASS allows {MOST_LEFT_OUT:.0%}",
                    advice.NO_OVERLAP,
                )
            ]
        return []

    def note(self) -> str:
        """Say what is compared, and what is not."""
        strata, left = len(np.unique(self.forget_strata)), self.left_out
        gone = f"; {left} have no comparable control and are not audited" if left else ""
        return (
            f"matched by {self.name}: {len(self.kept):,} of {self.size:,} forget examples with {len(self.controls):,} "
            f"controls in {strata} strata, worth {self.effective:.0f} equally weighted ones{gone}"
        )

    def pairing(self, pairing: Pairing) -> Pairing:
        """Compare within these strata, of examples that are kept already."""
        return Pairing(
            forget_strata=self.forget_strata,
            control_strata=self.control_strata,
            forget_groups=pairing.forget_groups,
            control_groups=pairing.control_groups,
        )

    def unbalanced(self, pairing: Pairing, limit: float, confidence: float) -> list[Objection]:
        """Doubt the comparison where models that never saw the forget set are told apart.

        Matching explains too little then. A negative control by simple models of retain, for where there are no
        references. Source: Lipsitch et al. 2010.
        """
        found = self._told_apart(pairing, limit, confidence)
        return [doubt(self._no_balance(found[0]), advice.NO_BALANCE)] if found else []

    def easier(self, pairing: Pairing, limit: float, confidence: float) -> bool:
        """Tell whether models that never saw a request find it easier than controls.

        Then an honest one may look as if it remembered. One that finds it harder does not.
        """
        return any(one.low > limit for one in self._told_apart(pairing, limit, confidence))

    def _told_apart(self, pairing: Pairing, limit: float, confidence: float) -> list[Estimate]:
        if self.stand_ins is None or self.fails:
            return []
        level, cut = 1 - (1 - confidence) / (2 * len(self.stand_ins)), len(self.kept)
        found = [auc_measure(one[:cut], one[cut:], **pairing.labels).at(level) for one in self.stand_ins]
        return [one for one in found if one.low > limit or one.high < 1 - limit]

    def _no_balance(self, found: Estimate) -> str:
        return (
            f"no balance: matched by {self.name}, a simple model of the retained data, which never saw the forget set, "
            f"is told apart too (AUC {found.value:.3f} [{found.low:.3f}, {found.high:.3f}])"
        )

    def follows(self, target: Answers, findings: Sequence[AttackFinding]) -> list[Objection]:
        """Doubt covariates that order the audited model's scores.

        Within their strata nothing is left to be seen.
        """
        if self.values is None or self.fails:
            return []
        sides = [(logit_scaled_confidence(target.forget), logit_scaled_confidence(target.controls))]
        sides += [(one.scores.forget, one.scores.controls) for one in findings if one.deciding and one.part is None]
        scores = [np.concatenate(pair) for pair in sides]
        share = max(midrank_share(column, score) for column in self.values.T for score in scores)
        if share < FOLLOWS:
            return []
        return [
            doubt(
                f"matched by {self.name}, which orders the examples as the audited model's own answers do ({share:.0%} "
                "of what it could): comparing examples of alike answers would hide a leak",
                advice.KNOWN_WITHOUT_MODELS,
            )
        ]


def match(forget: View, controls: View, matching: Matching, pairing: Pairing) -> Matched:
    """Match two views; `pairing` says whose the examples are.

    Raises:
        ValueError: for covariates that are none, and for too few examples to estimate a propensity.
    """
    cut, labels = len(forget), np.concatenate([forget.labels, controls.labels])
    hardness = stand_ins(forget, controls)
    values: FloatArray | None = None
    odds: FloatArray | None = None
    exact = False
    if matching.by == PROPENSITY:
        score = odds = _propensity(features(forget, controls)[0], labels, cut, pairing, hardness)
    else:
        score, values, exact = _covariates(forget, controls, matching)
        if values is not None and values.shape[1] > 1:
            score = odds = _propensity(values, labels, cut, pairing, hardness)
    second = None if hardness is None or matching.by != PROPENSITY else (hardness[0, :cut], hardness[0, cut:])
    classes = labels if matching.by_class else np.zeros(len(labels), dtype=np.int64)
    kept, strata = _strata((score[:cut], score[cut:]), second, (classes[:cut], classes[cut:]), exact=exact)
    chosen = np.flatnonzero(strata[1] != NOWHERE)
    both = np.concatenate([kept, cut + chosen])
    return Matched(
        name=matching.name or "",
        size=cut,
        kept=kept,
        controls=chosen,
        forget_strata=strata[0][kept],
        control_strata=strata[1][chosen],
        values=None if values is None else values[both],
        odds=None if odds is None else np.exp(odds[cut + chosen]),
        stand_ins=None if hardness is None else hardness[:, both],
    )


def _covariates(forget: View, controls: View, matching: Matching) -> tuple[FloatArray, FloatArray | None, bool]:
    """Return what is matched by: a score, columns, and whether to compare equals.

    Names have no order: they are numbered, and no columns.
    """
    sides = [matching.covariates(view) for view in (forget, controls)]
    if len({side.dtype.kind for side in sides}) > 1 or len({side.shape[1:] for side in sides}) > 1:
        sides = [np.asarray(side).astype(str).reshape(len(side), -1)[:, 0] for side in sides]
    values = np.concatenate(sides)
    if values.dtype.kind == "U":
        return np.unique(values, return_inverse=True)[1].reshape(-1).astype(np.float64), None, True
    return values[:, 0], values, values.shape[1] == 1 and len(np.unique(values)) <= EXACT


def _propensity(
    rows: FloatArray, labels: IntArray, n_forget: int, pairing: Pairing, hardness: FloatArray | None
) -> FloatArray:
    member = (np.arange(len(rows)) < n_forget).astype(np.int64)
    units = pairing.units(n_forget, len(rows) - n_forget)
    owners = np.arange(len(rows)) if units is None else units
    few = min(len(np.unique(owners[member == side])) for side in (0, 1))
    if few < LEAST_UNITS:
        raise ValueError(
            f"a propensity is estimated from at least {LEAST_UNITS} forget examples (or groups) and as many controls, "
            f"and there are {few}: match by a column or a callable with one number an example, or give references."
        )
    return log_odds(rows, labels, member, units, hardness=hardness)


def _strata(
    scores: tuple[FloatArray, FloatArray],
    second: tuple[FloatArray, FloatArray] | None,
    classes: tuple[IntArray, IntArray],
    *,
    exact: bool,
) -> tuple[IntArray, tuple[IntArray, IntArray]]:
    """Lay strata over both sides, class by class; -1 for who is compared with nobody."""
    codes = np.full(len(scores[0]), NOWHERE), np.full(len(scores[1]), NOWHERE)
    first = 0
    for label in np.unique(classes[0]):
        where = [np.flatnonzero(side == label) for side in classes]
        ours, theirs = (score[at] for score, at in zip(scores, where, strict=True))
        if not len(theirs):
            continue
        able = _equal(ours, theirs) if exact else overlapping(ours, theirs)
        if not able.any():
            continue
        at_both = where[0][able], where[1]
        if exact:
            inner = _values(ours[able], theirs)
        elif second is None:
            inner = balancing_strata(ours[able], theirs)
        else:
            inner = crossed_strata((ours[able], theirs), (second[0][at_both[0]], second[1][at_both[1]]))
        for code, at, found in zip(codes, at_both, inner, strict=True):
            code[at] = np.where(found == NOWHERE, NOWHERE, found + first)
        first += int(inner[0].max()) + 1
    return np.flatnonzero(codes[0] != NOWHERE), codes


def _equal(ours: FloatArray, theirs: FloatArray) -> NDArray[np.bool_]:
    """Mark the values that at least two controls have."""
    names, counts = np.unique(theirs, return_counts=True)
    return np.isin(ours, names[counts >= LEAST_NEAR])


def _values(ours: FloatArray, theirs: FloatArray) -> tuple[IntArray, IntArray]:
    names = np.unique(ours)
    found = np.where(np.isin(theirs, names), np.searchsorted(names, theirs), NOWHERE)
    return np.searchsorted(names, ours), found
