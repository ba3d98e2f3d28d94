"""The audit's own controls: the original must be recognised, references must not, and controls must be untrained."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pytest_unlearn.attacks import Pairing
from pytest_unlearn.attacks.signals import correctness
from pytest_unlearn.audits.examination import examine, judge, labels_only, shows_power
from pytest_unlearn.evidence import Answers, ControlResult, Verdict
from pytest_unlearn.statistics import paired_difference

TRAINED_SHARE = 0.5  # a model that undoes more than half of the references' errors on the controls has seen them


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
    findings = examine(labels_only(original) if coarse else original, references, pairing, confidence)
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
    references: Sequence[Answers], pairing: Pairing, limit: float, confidence: float
) -> tuple[ControlResult, ...]:
    """Each reference judged against the others, by the audit's own rule; none must FAIL."""
    results = []
    for k, reference in enumerate(references):
        others = [other for position, other in enumerate(references) if position != k]
        judgement = judge(examine(reference, others, pairing, confidence), limit, confidence, can_certify=True)
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


def controls_look_trained(target: Answers, references: Sequence[Answers], confidence: float) -> str:
    """Why the controls seem to be part of the audited model's training data; empty if they do not.

    A model trained on its controls as well as on the forget set treats both alike and would pass. It gives itself away
    by being right on controls where retrained models are wrong.
    """
    ours = correctness(target.controls)
    theirs = np.array([correctness(reference.controls) for reference in references])
    gain = paired_difference(ours, theirs).at(confidence)
    errors = 1 - float(theirs.mean())
    if gain.low <= TRAINED_SHARE * errors:
        return ""
    return (
        f"the model is right on {ours.mean():.1%} of the controls, retrained models on {1 - errors:.1%}: it seems to "
        "have been trained on the controls, so they cannot stand for examples it never saw"
    )


def distinct(answers: Sequence[Answers]) -> list[Answers]:
    """The answers without exact repetitions: references that agree in everything count once."""
    kept: list[Answers] = []
    for candidate in answers:
        if not any(same_answers(candidate, other) for other in kept):
            kept.append(candidate)
    return kept


def same_answers(one: Answers, other: Answers) -> bool:
    """Whether two models answer exactly alike on both sets."""
    pairs = ((one.forget, other.forget), (one.controls, other.controls))
    return all(np.array_equal(a.logits, b.logits) for a, b in pairs)
