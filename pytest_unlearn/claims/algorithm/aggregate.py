"""Findings over runs: what each attack finds in all of them, as one mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_unlearn.attacks.attack import auc_of_scores
from pytest_unlearn.attacks.registry import Attack
from pytest_unlearn.attacks.signals import logit_scaled_confidence
from pytest_unlearn.attacks.subgroups import SIDES, slice_measure
from pytest_unlearn.attacks.u_lira import Null, Shadow, unlearning_lira
from pytest_unlearn.claims.algorithm.runs import RequestPool, Run, originals_alone
from pytest_unlearn.claims.common import advice
from pytest_unlearn.claims.common.certify import ENOUGH_RUNS
from pytest_unlearn.claims.common.conclusion import least_shown
from pytest_unlearn.claims.common.controls import (
    CHANCE,
    PowerCheck,
    controls_look_trained,
    family_confidence,
    negative_control,
    power_check,
    uncorrelated_with_references,
    without,
)
from pytest_unlearn.claims.common.findings import (
    AttackFinding,
    attack_finding,
    evaluate_attacks,
    judge_attacks,
    labels_only,
    score_problem,
)
from pytest_unlearn.claims.common.verdict import Objection
from pytest_unlearn.core.evidence import Answers, ControlResult, Estimate, Outputs, Verdict
from pytest_unlearn.core.settings import CONFIDENCE
from pytest_unlearn.statistics import ExtremeMeasure, Measure, ModelsMeasure, over_models, share_of_estimates
from pytest_unlearn.task import UnlearningTask

NULLS: dict[str, Null] = {"U-LiRA": "never trained", "U-LiRA, unlearned null": "unlearned"}
UNCORRELATED = 0.25  # the share of runs whose outputs may follow no comparable model's
SURE = 0.01  # how rarely runs that differ by chance alone are doubted


def over_runs(
    runs: Sequence[Run],
    of: Callable[[Run], Answers],
    among: Callable[[Run], Sequence[Answers]] = lambda run: run.others,
    *,
    same: bool,
    confidence: float,
    standard: bool = True,
) -> tuple[AttackFinding, ...]:
    """Run each attack on a model of every run, and make one finding of their mean."""
    each = [
        evaluate_attacks(of(run), among(run), run.pairing, confidence, standard=standard, by_class=False)
        for run in runs
    ]
    shared = set.intersection(*({finding.name for finding in findings} for findings in each))
    names = [finding.name for finding in each[0] if finding.name in shared]
    by_name = {name: [next(f for f in found if f.name == name) for found in each] for name in names}
    return tuple(_mean(found, same=same, confidence=confidence) for found in by_name.values())


def _mean(found: Sequence[AttackFinding], *, same: bool, confidence: float, inflation: float = 1.0) -> AttackFinding:
    """Average findings over the runs with information, unless most have none."""
    told = [finding for finding in found if not finding.problem]
    problem = ""
    if _mostly_uninformative(found):
        problem = f"{next(f.problem for f in found if f.problem)} (in {len(found) - len(told)} of {len(found)} runs)"
    measure = over_models([f.measure for f in (found if problem else told)], same_examples=same, inflation=inflation)
    return replace(
        found[0],
        role="decides" if any(finding.deciding for finding in found) else "tripwire",
        measure=measure,
        estimate=measure.at(confidence),
        problem=problem,
    )


def _mostly_uninformative(found: Sequence[AttackFinding]) -> bool:
    return 2 * sum(not finding.problem for finding in found) <= len(found)


def classes_over_runs(runs: Sequence[Run], attack: Attack, *, same: bool, confidence: float) -> list[AttackFinding]:
    """Find the class that stands out most on the mean over runs, on either side."""
    if any(run.pairing.forget_strata is None for run in runs):
        return []
    scores = [attack.score(run.unlearned, run.others, run.pairing) for run in runs]
    labels = set.intersection(*({int(label) for label in np.unique(run.unlearned.forget.labels)} for run in runs))
    means: list[Measure] = []
    for label in sorted(labels):
        each = [
            slice_measure(attack, found, run.pairing, run.unlearned.forget.labels == label)
            for run, found in zip(runs, scores, strict=True)
        ]
        means.append(over_models(each, same_examples=same))
    findings = []
    for side, words in SIDES.items() if len(means) > 1 else ():
        measure = ExtremeMeasure(parts=means, side=side)
        named = replace(attack, name=f"{words} class", sides=(side,))
        findings.append(attack_finding(named, scores[0], measure, confidence, deciding=False))
    return findings


def failing_runs(runs: Sequence[Run], limit: float, confidence: float) -> list[int]:
    """Return the seeds whose model FAILs by itself, corrected for all runs."""
    corrected = 1.0 - (1.0 - confidence) / len(runs)
    found = []
    for run in runs:
        findings = evaluate_attacks(run.unlearned, run.others, run.pairing, corrected, by_class=False)
        if judge_attacks(findings, limit, corrected).verdict is Verdict.FAIL:
            found.append(run.seed)
    return found


def doubts_over_runs(
    runs: Sequence[Run], findings: Sequence[AttackFinding], confidence: float, *, bootstrapped: bool
) -> list[Objection]:
    """Return why the audit may be blind to a run's model, or lacks controls."""
    blind, trained = [], []
    for run in runs:
        uncorrelated = uncorrelated_with_references(run.unlearned, run.references)
        blind += [f"run {run.seed}: {uncorrelated}"] if uncorrelated else []
        if not run.outside.any():
            continue
        target, *references = (_outside(answers, run) for answers in (run.unlearned, *run.references))
        seen = controls_look_trained(target, references, confidence, bootstrapped=bootstrapped)
        trained += [f"run {run.seed}: {reason}" for one in seen for reason in one.reasons]
    if len(blind) <= UNCORRELATED * len(runs):  # few controls let an honest model of some runs stray
        blind = []
    means = [(f.name, f.measure) for f in findings if f.deciding and isinstance(f.measure, ModelsMeasure)]
    for name, measure in means:
        if not measure.same_examples and measure.overdispersion < SURE / len(means):
            blind.append(f"{name} differs between runs by more than chance: the method leaks under some of its seeds")
        if len(measure.values) < len(runs):
            blind.append(f"{name}: in some runs all scores tie, which tells nothing of their models")
    found = ((blind, advice.SOME_RUNS), (trained, advice.CONTROLS_TRAINED))
    return [Objection(tuple(reasons), (step,)) for reasons, step in found if reasons]


def _outside(answers: Answers, run: Run) -> Answers:
    kept = answers.controls.take(run.outside)
    return Answers(forget=answers.forget, controls=kept)


def u_lira(runs: Sequence[Run], confidence: float) -> list[AttackFinding]:
    """Judge each run's model by the laws of the others; none below five runs.

    Nothing is found by a null under which most runs' scores all tie: a method whose model is the same whatever the
    request leaves nothing to compare runs by, which is evidence neither way.
    """
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
            measure, problem = attack.measure(scores, run.pairing), score_problem(attack, scores)
            each.append(attack_finding(attack, scores, measure, confidence, problem=problem))
        if _mostly_uninformative(each):
            continue
        # under this null what one run says of another is much what the other says of it
        twice = 2.0 if null == "unlearned" else 1.0
        found.append(_mean(each, same=False, confidence=confidence, inflation=twice))
    return found


def _as_seen_from(run: Run, other: Run) -> Shadow:
    """Rearrange another run's answers to this run's forget set and controls."""
    return Shadow(
        unlearned=rearranged(other.unlearned, other.drawn, run.drawn),
        original=rearranged(other.original, other.drawn, run.drawn),
        requested=np.concatenate([other.drawn[run.drawn], other.drawn[~run.drawn]]),
    )


def rearranged(answers: Answers, drawn: NDArray[np.bool_], wanted: NDArray[np.bool_]) -> Answers:
    """Split answers by another request than they are split by."""
    logits = np.empty((len(drawn), answers.forget.logits.shape[1]))
    labels = np.empty(len(drawn), dtype=np.int64)
    for mask, part in ((drawn, answers.forget), (~drawn, answers.controls)):
        logits[mask], labels[mask] = part.logits, part.labels
    forget, controls = (Outputs(logits=logits[mask], labels=labels[mask]) for mask in (wanted, ~wanted))
    return Answers(forget=forget, controls=controls)


def run_controls(
    runs: Sequence[Run],
    run_attacks: Callable[..., tuple[AttackFinding, ...]],
    findings: Sequence[AttackFinding],
    limit: float,
    confidence: float,
    most: float,
    *,
    coarse: bool,
) -> tuple[PowerCheck, tuple[ControlResult, ...], float | None]:
    """Check that originals are recognised on average and no reference is.

    Besides, return the originals' mean AUC by the attack that shows them least. Originals are seen through the audited
    models' channel, and where these reveal labels alone (`coarse`), reduced to theirs: power against finer outputs
    would say nothing of the attack that was possible.
    """
    originals = run_attacks(
        lambda run: labels_only(run.original) if coarse else replace(run.original, channel=run.unlearned),
        standard=False,
    )
    count = len(runs[0].references)
    retrained, corrected = [], family_confidence(confidence, count)
    for k in range(count if count > 1 else 0):
        found = run_attacks(lambda run, k=k: run.references[k], lambda run, k=k: without(run.references, k))
        fails = "is told apart from the controls although it never saw either"
        retrained.append(negative_control(k, judge_attacks(found, limit, corrected), fails))

    def share(audited: AttackFinding, known: AttackFinding) -> Estimate:
        return share_of_estimates(audited.estimate, known.estimate, CHANCE)

    where = "in the original models"
    what = "the requests are"
    power = power_check(originals, findings, share, most, what=what, where=where, name="originals", of="runs")
    return power, tuple(retrained), least_shown(originals)


def recognised_over_runs(
    task: UnlearningTask, pool: RequestPool, drawn: Sequence[tuple[NDArray[np.bool_], Any]], references: Sequence[Any]
) -> float | None:
    """Compute the mean AUC of runs' originals by the attack that shows them least.

    Args:
        task: whose runs they are.
        pool: of these runs.
        drawn: of each run, which of the pool its request holds, and its original.
        references: models of the task that were retrained, one or more.

    Returns:
        The AUC, 0.5 where nothing is recognised; None where no attack tells anything.
    """
    runs = originals_alone(task, pool, drawn, references)

    def seen(run: Run) -> Answers:  # as an audit sees it: through a model that the method made, here a retrained one
        return replace(run.original, channel=run.references[0])

    return least_shown(over_runs(runs, seen, same=False, confidence=CONFIDENCE, standard=False))
