"""Findings over runs: what each attack finds in a model of every run, as one finding on their mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pytest_unlearn.attacks import Attack
from pytest_unlearn.attacks.measures import auc_of_scores
from pytest_unlearn.attacks.signals import logit_scaled_confidence
from pytest_unlearn.attacks.unlearning_lira import Null, Shadow, unlearning_lira
from pytest_unlearn.audits.examination import Finding, examine, judge, shows_power
from pytest_unlearn.audits.runs import Run
from pytest_unlearn.evidence import Answers, ControlResult, Controls, Outputs, Verdict
from pytest_unlearn.statistics import over_models

NULLS: dict[str, Null] = {"U-LiRA": "never trained", "U-LiRA, unlearned null": "unlearned"}
ENOUGH_RUNS = 5  # to have met most examples both ways


def over_runs(
    runs: Sequence[Run],
    of: Callable[[Run], Answers],
    among: Callable[[Run], Sequence[Answers]] = lambda run: run.references,
    *,
    same: bool,
    confidence: float,
    standard: bool = True,
) -> tuple[Finding, ...]:
    """Each attack's findings on a model of every run, as one finding on their mean."""
    each = [examine(of(run), among(run), run.pairing, confidence, standard=standard, vulnerable=False) for run in runs]
    shared = set.intersection(*({finding.attack.name for finding in findings} for findings in each))
    names = [finding.attack.name for finding in each[0] if finding.attack.name in shared]
    by_name = {name: [next(f for f in found if f.attack.name == name) for found in each] for name in names}
    return tuple(_mean(found, same=same, confidence=confidence) for found in by_name.values())


def _mean(found: Sequence[Finding], *, same: bool, confidence: float) -> Finding:
    measure = over_models([finding.measure for finding in found], same_examples=same)
    problems = [finding.problem for finding in found if finding.problem]
    return replace(
        found[0],
        deciding=any(finding.deciding for finding in found),
        measure=measure,
        estimate=measure.at(confidence),
        problem=f"{problems[0]} (in {len(problems)} of {len(found)} runs)" if problems else "",
    )


def u_lira(runs: Sequence[Run], confidence: float) -> list[Finding]:
    """Each run's model judged by the laws of the other runs, under both nulls; none below five runs."""
    if len(runs) < ENOUGH_RUNS:
        return []
    found = []
    for name, null in NULLS.items():
        each = []
        for number, run in enumerate(runs):
            others = [_as_seen_from(run, other) for k, other in enumerate(runs) if k != number]
            attack = Attack(
                name=name,
                score=partial(unlearning_lira, logit_scaled_confidence, others, null),
                measure=auc_of_scores,
                access=("outputs", "method"),
                cost="every run trains a model and unlearns",
                calibrated=True,
                source="Hayes et al. 2024",
            )
            scores = attack.score(run.unlearned, run.references, run.pairing)
            measure = attack.measure(scores, run.pairing)
            estimate = measure.at(confidence)
            each.append(Finding(attack=attack, deciding=True, scores=scores, measure=measure, estimate=estimate))
        found.append(_mean(each, same=False, confidence=confidence))
    return found


def _as_seen_from(run: Run, other: Run) -> Shadow:
    """Another run's answers on this run's forget set and controls."""
    return Shadow(
        unlearned=rearranged(other.unlearned, other.drawn, run.drawn),
        original=rearranged(other.original, other.drawn, run.drawn),
        requested=np.concatenate([other.drawn[run.drawn], other.drawn[~run.drawn]]),
    )


def rearranged(answers: Answers, drawn: NDArray[np.bool_], wanted: NDArray[np.bool_]) -> Answers:
    """Answers split by one request, split by another."""
    logits = np.empty((len(drawn), answers.forget.logits.shape[1]))
    labels = np.empty(len(drawn), dtype=np.int64)
    for mask, part in ((drawn, answers.forget), (~drawn, answers.controls)):
        logits[mask], labels[mask] = part.logits, part.labels
    forget, controls = (Outputs(logits=logits[mask], labels=labels[mask]) for mask in (wanted, ~wanted))
    return Answers(forget=forget, controls=controls)


def run_controls(
    runs: Sequence[Run], look: Callable[..., tuple[Finding, ...]], limit: float, confidence: float
) -> Controls:
    originals = look(lambda run: replace(run.original, original=None), standard=False)
    strong = shows_power(originals, limit)
    best = strong or max((f for f in originals if f.deciding), key=lambda finding: finding.estimate.low)
    verb = "are recognised" if strong else f"are not recognised beyond {limit:g} with certainty"
    retrained = []
    count = len(runs[0].references)
    for k in range(count if count > 1 else 0):
        found = look(
            lambda run, k=k: run.references[k], lambda run, k=k: [*run.references[:k], *run.references[k + 1 :]]
        )
        judgement = judge(found, limit, confidence, can_certify=True)
        failed = judgement.verdict is Verdict.FAIL
        says = "is told apart from the controls although it never saw either" if failed else "is not told apart"
        retrained.append(
            ControlResult(
                name=f"retrained {k}",
                holds=not failed,
                attack=judgement.finding.attack.name,
                estimate=judgement.finding.estimate,
                says=f"retrained {k} {says}",
            )
        )
    return Controls(
        original=ControlResult(
            name="originals",
            holds=strong is not None,
            attack=best.attack.name,
            estimate=best.estimate,
            says=f"the requests {verb} in the original models",
        ),
        retrained=tuple(retrained),
    )
