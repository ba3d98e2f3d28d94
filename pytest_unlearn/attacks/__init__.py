"""Attacks: outputs and references -> scores, each declared with the statistic that judges it. The tables are below.

PASS needs every attack of the deciding set within the limit; a tripwire is reported and can only make a verdict FAIL.
All attacks are stated on the AUC scale, where 0.5 is the target, and none is ever flipped after seeing its value.
What costs more than arrays (further queries, classifiers, the retain set) is in `pytest_unlearn.catalogue`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from pytest_unlearn.attacks.lira import ENOUGH, offline_lira
from pytest_unlearn.attacks.measures import auc_of_scores, gap_of_scores
from pytest_unlearn.attacks.reference_difference import reference_difference
from pytest_unlearn.attacks.reference_residual import reference_residual, residual_deviation
from pytest_unlearn.attacks.rmia import offline_rmia
from pytest_unlearn.attacks.setting import Access, Attack, Pairing, Signal
from pytest_unlearn.attacks.signals import (
    correctness,
    hinge_margin,
    logit_scaled_confidence,
    negative_entropy,
    negative_modified_entropy,
)
from pytest_unlearn.attacks.single_model import single_model
from pytest_unlearn.attacks.slices import class_masks, most_memorised, worst_of
from pytest_unlearn.attacks.update_leakage import update_leakage
from pytest_unlearn.evidence import Answers

__all__ = ["LABEL_ONLY", "UPDATE_LEAKAGE", "Attack", "Pairing", "deciding_set", "tripwires", "vulnerable_slices"]

REFERENCES: tuple[Access, ...] = ("outputs", "references")
SHARED = "one evaluation of each reference, shared with all others"


def _residuals(name: str, signal: Signal) -> tuple[Attack, Attack]:
    declare = partial(
        Attack,
        measure=auc_of_scores,
        access=REFERENCES,
        least_references=1,
        cost=SHARED,
        calibrated=True,
        source="ours, after Carlini et al. 2022",
    )
    return (
        declare(name=f"{name} residual", score=partial(reference_residual, signal)),
        declare(name=f"{name} deviation", score=partial(residual_deviation, signal), signed=False),
    )


def _single(name: str, signal: Signal, source: str) -> Attack:
    return Attack(name=name, score=partial(single_model, signal), measure=auc_of_scores, source=source)


CONFIDENCE = _single("confidence", logit_scaled_confidence, "Yeom et al. 2018; Carlini et al. 2022")
MARGIN = _single("margin", hinge_margin, "Carlini et al. 2022")
ENTROPY = _single("entropy", negative_entropy, "Salem et al. 2019")
MODIFIED_ENTROPY = _single("modified entropy", negative_modified_entropy, "Song & Mittal 2021")
LABEL_ONLY = Attack(
    name="label only",
    score=partial(single_model, correctness),
    measure=gap_of_scores,
    access=("labels",),
    source="Yeom et al. 2018, the gap attack",
)
DIFFERENCE = Attack(
    name="confidence difference",
    score=partial(reference_difference, logit_scaled_confidence),
    measure=auc_of_scores,
    access=REFERENCES,
    least_references=1,
    cost=SHARED,
    calibrated=True,
    source="Carlini et al. 2022, offline LiRA with one variance for all",
)
LIRA = Attack(
    name="LiRA",
    score=partial(offline_lira, logit_scaled_confidence),
    measure=auc_of_scores,
    access=REFERENCES,
    least_references=ENOUGH,
    cost=SHARED,
    calibrated=True,
    source="Carlini et al. 2022, offline",
)
RMIA = Attack(
    name="RMIA",
    score=offline_rmia,
    measure=auc_of_scores,
    access=REFERENCES,
    least_references=2,
    cost=SHARED,
    source="Zarifzadeh et al. 2024, offline",
)
UPDATE_LEAKAGE = Attack(
    name="update leakage",
    score=update_leakage,
    measure=auc_of_scores,
    sides=("high",),
    access=("outputs", "original", "references"),
    least_references=1,
    cost="one evaluation of the original and of each reference, shared with all others",
    source="Chen et al. 2021",
)
CONFIDENCE_RESIDUALS = _residuals("confidence", logit_scaled_confidence)
MARGIN_RESIDUALS = _residuals("margin", hinge_margin)


def deciding_set(*, references: bool, classes: int) -> tuple[Attack, ...]:
    """The attacks that PASS depends on. For two classes margin and confidence coincide and count once."""
    if not references:
        return (CONFIDENCE, MODIFIED_ENTROPY)
    return CONFIDENCE_RESIDUALS if classes == 2 else (*CONFIDENCE_RESIDUALS, *MARGIN_RESIDUALS)


def tripwires(*, references: int, classes: int, original: bool = False) -> tuple[Attack, ...]:
    """The attacks that can only make a verdict FAIL. Label-only moves to the deciding set when most pairs tie.

    LiRA differs from the confidence difference only where an example's own variance can be estimated.
    """
    if not references:
        return (ENTROPY, LABEL_ONLY) if classes == 2 else (MARGIN, ENTROPY, LABEL_ONLY)
    known = (DIFFERENCE, *((LIRA,) if references >= LIRA.least_references else ()), RMIA)
    both = (UPDATE_LEAKAGE,) if original else ()
    return (*known, *both, CONFIDENCE, ENTROPY, MODIFIED_ENTROPY, LABEL_ONLY)


def vulnerable_slices(target: Answers, references: Sequence[Answers], pairing: Pairing) -> tuple[Attack, ...]:
    """The first deciding attack on the class that stands out most, and the tenth that the original knew best."""
    attack = deciding_set(references=bool(references), classes=target.forget.logits.shape[1])[0]
    found = worst_of(class_masks(pairing), "class", attack)
    if target.original is not None:
        memorised = most_memorised(logit_scaled_confidence, target.original, references)
        found = (*found, *((memorised,) if memorised is not None else ()))
    return found
