"""Controls of the audit: original, references and never-trained examples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from pytest_unlearn.attacks.signals import correctness, hinge_margin
from pytest_unlearn.claims.common import advice
from pytest_unlearn.claims.common.verdict import Decision, F, Finding, Objection, doubt, invalid
from pytest_unlearn.core.evidence import Answers, ControlResult, FloatArray, Verdict
from pytest_unlearn.statistics import paired_difference

TRAINED_SHARE = 0.5  # a model that undoes more than half of the references' errors on the controls has seen them
DOUBTFUL_SHARE = 0.25  # one that undoes a quarter may have, or was given more data than the references
LARGE_REQUEST = 0.25  # of the training data: what is left makes references less accurate on everything
UNKNOWN_CLASS = 0.1  # of a class that is removed, retrained models get so small a share right
FOLLOWING_SHARE = 0.5  # of the rank correlation that references have with each other
T = TypeVar("T")


def positive_control(
    findings: Sequence[Finding],
    limit: float,
    holds: str,
    fails: str,
    *,
    name: str = "original",
    explained: bool = False,
) -> ControlResult:
    """Check that a deciding finding on the original is surely beyond the limit.

    It is the one whose lower bound is highest, of those that can be interpreted if there are any.
    """
    best = max((f for f in findings if f.deciding), key=lambda finding: (not finding.problem, finding.estimate.low))
    certain = not best.problem and best.estimate.low > limit
    reason = (holds if certain else fails) + (f": {best.problem or best.summary}" if explained else "")
    return ControlResult(name=name, holds=certain, attack=best.name, estimate=best.estimate, summary=reason)


def recognition(
    findings: Sequence[Finding], limit: float, what: str = "the forget set is", *, plural: bool = False
) -> ControlResult:
    """Report whether an attack recognises in the original what was to be forgotten."""
    name = "originals" if plural else "original"
    where = "in the original models" if plural else "in the original model"
    fails = f"{what} not recognised beyond {limit:g} with certainty {where}"
    return positive_control(findings, limit, f"{what} recognised {where}", fails, name=name)


def negative_control(
    number: int,
    judged: Decision[F],
    fails: str = "is told apart from the controls although it never saw the forget set",
    holds: str = "is not told apart",
    *,
    failed: bool = False,
) -> ControlResult:
    """Check that a reference judged by the others neither FAILs nor `failed`."""
    failed = failed or judged.verdict is Verdict.FAIL
    return ControlResult(
        name=f"retrained {number}",
        holds=not failed,
        attack=judged.finding.name,
        estimate=judged.finding.estimate,
        summary=f"retrained {number} {fails if failed else holds}",
    )


def without(answers: Sequence[T], number: int) -> list[T]:
    """Return all but one: what a reference is judged by."""
    return [*answers[:number], *answers[number + 1 :]]


def controls_look_trained(
    target: Answers,
    references: Sequence[Answers],
    confidence: float,
    *,
    bootstrapped: bool,
    informed: Answers | None = None,
) -> list[Objection]:
    """Explain why controls seem trained on, and withhold PASS or, if sure, make it INVALID.

    A model trained on its controls as well as on the forget set treats both alike and would pass.
    It gives itself away by being right on controls where retrained models are wrong. Accuracy is all that shows it: a
    model that was also made worse, by noise, evades this check and is left to `assert_matches_retrained`.
    `bootstrapped` references are less accurate than an honest model, so that only a strong sign counts. Of classes that
    references do not know nothing is sure: to be right on those takes no more than to know the class. `informed` is the
    original where a large request leaves references so little data that the rest of it explains the difference.
    """
    ours = correctness(target.controls)
    theirs = np.array([correctness(reference.controls) for reference in references])
    if not _undoes(ours, theirs, TRAINED_SHARE if bootstrapped else DOUBTFUL_SHARE, confidence):
        return []
    compared = f"the model is right on {ours.mean():.1%} of the controls, retrained models on {theirs.mean():.1%}"
    if informed is not None:
        better = correctness(informed.controls)
        if _undoes(better, theirs, DOUBTFUL_SHARE, confidence) and not _undoes(
            ours, better[None], DOUBTFUL_SHARE, confidence
        ):
            return [
                doubt(
                    f"{compared} and the original on {better.mean():.1%}: with so large a request these have far less "
                    "data, and this model still uses what the forget set taught the original about all examples",
                    advice.KNOWS_MORE,
                )
            ]
    labels, right = target.controls.labels, theirs.mean(axis=0)
    taught = (np.bincount(labels, weights=right) / np.maximum(np.bincount(labels), 1))[labels] > UNKNOWN_CLASS
    sure = taught.any() and _undoes(ours[taught], theirs[:, taught], TRAINED_SHARE, confidence)
    trained = "seems to have been trained on them" if sure else "may have been trained on them"
    reason = f"{compared}: it {trained}, and then they cannot stand for examples it never saw"
    return [(invalid if sure else doubt)(reason, advice.CONTROLS_TRAINED)]


def _undoes(ours: FloatArray, theirs: FloatArray, share: float, confidence: float) -> bool:
    """Tell whether a model surely undoes more than a share of the references' errors."""
    return paired_difference(ours, theirs).at(confidence).low > share * (1 - float(theirs.mean()))


def uncorrelated_with_references(
    target: Answers, references: Sequence[Answers], share: float = FOLLOWING_SHARE, where: str = "the controls"
) -> str:
    """Explain why the attack may have no power on this very model; empty if it has.

    The positive control shows power on the original's outputs. A model whose outputs on the controls do not follow
    those of comparable models (logit columns or saved rows out of order, outputs drowned in noise) would pass whatever
    it remembers. `references` are retrained models, or the original where there are none; `share` of the correlation
    that they have among themselves is expected; `where` says on what.
    """
    margins = [hinge_margin(answers.controls) for answers in references]
    if not margins:
        return ""
    usual = [
        rank_correlation(margin, np.mean(without(margins, k), axis=0))
        for k, margin in enumerate(margins)
        if len(margins) > 1
    ]
    ours = rank_correlation(hinge_margin(target.controls), np.mean(margins, axis=0))
    expected = float(np.median(usual)) if usual else 1.0
    if ours >= share * expected:
        return ""
    return (
        f"no power on this model: on {where} its margins follow those of comparable models with a rank correlation "
        f"of {ours:.2f}, where these have {expected:.2f} among themselves"
    )


def rank_correlation(one: FloatArray, other: FloatArray) -> float:
    """Return Spearman's rank correlation; 0 where one side is constant."""
    from scipy.stats import spearmanr

    return float(spearmanr(one, other).statistic) if np.ptp(one) and np.ptp(other) else 0.0


def distinct(answers: Sequence[Answers]) -> list[Answers]:
    """Drop exact repetitions: references that agree in everything count once."""
    kept: list[Answers] = []
    for candidate in answers:
        if not any(same_answers(candidate, other) for other in kept):
            kept.append(candidate)
    return kept


def same_answers(one: Answers, other: Answers) -> bool:
    """Tell whether two models order both sets alike, as under another scale."""
    from scipy.stats import rankdata

    margins = [np.r_[hinge_margin(answers.forget), hinge_margin(answers.controls)] for answers in (one, other)]
    return bool(np.array_equal(*map(rankdata, margins)))
