"""The audit's own controls: the original must be recognised, references must not, and controls must be untrained."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pytest_unlearn.attacks.registry import Pairing
from pytest_unlearn.attacks.signals import correctness, hinge_margin
from pytest_unlearn.claims.common.findings import Finding, examine, judge, labels_only, shows_power
from pytest_unlearn.core.evidence import Answers, ControlResult, FloatArray, Verdict
from pytest_unlearn.statistics import paired_difference

TRAINED_SHARE = 0.5  # a model that undoes more than half of the references' errors on the controls has seen them
DOUBTFUL_SHARE = 0.25  # one that undoes a quarter may have, or was given more data than the references
UNKNOWN_CLASS = 0.1  # of a class that is removed, retrained models get so small a share right
FOLLOWING_SHARE = 0.5  # of the rank correlation that references have with each other


def positive_control(
    original: Answers,
    references: Sequence[Answers],
    pairing: Pairing,
    limit: float,
    confidence: float,
    *,
    coarse: bool,
) -> ControlResult:
    """Does a deciding attack recognise the forget set in the original model with certainty?

    When the audited model reveals so little that most pairs tie (`coarse`), the original is reduced to its labels too:
    power against finer outputs would say nothing about the attack that was possible.
    """
    seen = labels_only(original) if coarse else original
    findings = examine(seen, references, pairing, confidence, standard=False)
    strong = shows_power(findings, limit)
    usable = [f for f in findings if f.deciding and not f.problem] or [f for f in findings if f.deciding]
    best = strong or max(usable, key=lambda finding: finding.estimate.low)
    revealed = ", reduced to its labels like the audited model," if coarse else ""
    verb = "is recognised" if strong else f"is not recognised beyond {limit:g} with certainty"
    return ControlResult(
        name="original",
        holds=strong is not None,
        attack=best.attack.name,
        estimate=best.estimate,
        says=f"the forget set{revealed} {verb} in the original model",
    )


def negative_controls(
    rotations: Sequence[Sequence[Finding]], limit: float, confidence: float
) -> tuple[ControlResult, ...]:
    """Findings on each reference against the others, judged by the audit's own rule; none must FAIL."""
    results = []
    for k, findings in enumerate(rotations):
        judgement = judge(findings, limit, confidence, can_certify=True)
        failed = judgement.verdict is Verdict.FAIL
        says = "is told apart from the controls although it never saw the forget set" if failed else "is not told apart"
        results.append(
            ControlResult(
                name=f"retrained {k}",
                holds=not failed,
                attack=judgement.finding.attack.name,
                estimate=judgement.finding.estimate,
                says=f"retrained {k} {says}",
            )
        )
    return tuple(results)


def controls_look_trained(
    target: Answers, references: Sequence[Answers], confidence: float, *, weaker: bool
) -> tuple[str, bool]:
    """Why the controls seem to be part of the audited model's training data (empty if not), and whether that is sure.

    A model trained on its controls as well as on the forget set treats both alike and would pass. It gives itself away
    by being right on controls where retrained models are wrong. Accuracy is all that shows it: a model that was also
    made worse, by noise, evades this check and is left to `assert_matches_retrained`. `weaker` references, trained on
    bootstraps, are less accurate than an honest model, so that only a strong sign counts. Of classes that references do
    not know nothing is sure: to be right on those takes no more than to know the class.
    """
    ours = correctness(target.controls)
    theirs = np.array([correctness(reference.controls) for reference in references])
    if not _undoes(ours, theirs, TRAINED_SHARE if weaker else DOUBTFUL_SHARE, confidence):
        return "", False
    labels, right = target.controls.labels, theirs.mean(axis=0)
    known = (np.bincount(labels, weights=right) / np.maximum(np.bincount(labels), 1))[labels] > UNKNOWN_CLASS
    sure = known.any() and _undoes(ours[known], theirs[:, known], TRAINED_SHARE, confidence)
    errors = 1 - float(theirs.mean())
    trained = "seems to have been trained on them" if sure else "may have been trained on them"
    return (
        f"the model is right on {ours.mean():.1%} of the controls, retrained models on {1 - errors:.1%}: it {trained}, "
        "and then they cannot stand for examples it never saw"
    ), bool(sure)


def _undoes(ours: FloatArray, theirs: FloatArray, share: float, confidence: float) -> bool:
    """Whether a model surely undoes more than a share of the references' errors."""
    return paired_difference(ours, theirs).at(confidence).low > share * (1 - float(theirs.mean()))


def does_not_follow(
    target: Answers, known: Sequence[Answers], share: float = FOLLOWING_SHARE, where: str = "the controls"
) -> str:
    """Why the attack may have no power on this very model; empty if it has.

    The positive control shows power on the original's outputs. A model whose outputs on the controls do not follow
    those of comparable models (logit columns or saved rows out of order, outputs drowned in noise) would pass whatever
    it remembers. `known` are the references, or the original where there are none; `share` of the correlation that
    they have among themselves is expected; `where` says on what.
    """
    margins = [hinge_margin(answers.controls) for answers in known]
    if not margins:
        return ""
    usual = [
        _rank_correlation(margin, np.mean(margins[:k] + margins[k + 1 :], axis=0))
        for k, margin in enumerate(margins)
        if len(margins) > 1
    ]
    ours = _rank_correlation(hinge_margin(target.controls), np.mean(margins, axis=0))
    expected = float(np.median(usual)) if usual else 1.0
    if ours >= share * expected:
        return ""
    return (
        f"no power on this model: on {where} its margins follow those of comparable models with a rank correlation "
        f"of {ours:.2f}, where these have {expected:.2f} among themselves"
    )


def _rank_correlation(one: FloatArray, other: FloatArray) -> float:
    """Spearman's; 0 where one side is constant."""
    from scipy.stats import rankdata

    ranks = np.array([rankdata(one), rankdata(other)])
    return 0.0 if (np.ptp(ranks, axis=1) == 0).any() else float(np.corrcoef(ranks)[0, 1])


def distinct(answers: Sequence[Answers]) -> list[Answers]:
    """The answers without exact repetitions: references that agree in everything count once."""
    kept: list[Answers] = []
    for candidate in answers:
        if not any(same_answers(candidate, other) for other in kept):
            kept.append(candidate)
    return kept


def same_answers(one: Answers, other: Answers) -> bool:
    """Whether two models order both sets exactly alike, as the same model under another scale does too."""
    from scipy.stats import rankdata

    margins = [np.r_[hinge_margin(answers.forget), hinge_margin(answers.controls)] for answers in (one, other)]
    return bool(np.array_equal(*map(rankdata, margins)))
