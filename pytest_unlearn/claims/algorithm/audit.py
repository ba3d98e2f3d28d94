"""Audit of a method over seeds and requests, rather than of one model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from pytest_unlearn.attacks.registry import Attack
from pytest_unlearn.claims.algorithm.aggregate import (
    NULLS,
    classes_over_runs,
    doubts_over_runs,
    failing_runs,
    over_runs,
    run_controls,
    u_lira,
)
from pytest_unlearn.claims.algorithm.runs import Requests, Run, open_pool, simulate
from pytest_unlearn.claims.common import advice
from pytest_unlearn.claims.common.certify import ENOUGH_RUNS, MOST_RUNS, RUNS_POWER, request
from pytest_unlearn.claims.common.controls import PowerCheck
from pytest_unlearn.claims.common.evidence import AucTerms, auc_terms, build_evidence
from pytest_unlearn.claims.common.findings import AttackFinding, is_coarse, judge_attacks
from pytest_unlearn.claims.common.provenance import provenance
from pytest_unlearn.claims.common.verdict import Decision, Objection, decide, failed_negative_control, missing_controls
from pytest_unlearn.core.evidence import Controls, Evidence, Verdict
from pytest_unlearn.core.figures import Cell, Table
from pytest_unlearn.core.settings import CONFIDENCE, MAX_MIA_AUC, MAX_SHARE_LEFT, REQUIRE_CONTROLS
from pytest_unlearn.models.predict import Output, OutputKind, read_as
from pytest_unlearn.models.unlearning import method_digest
from pytest_unlearn.statistics import ModelsMeasure
from pytest_unlearn.task import UnlearningTask
from pytest_unlearn.training.signatures import check_unlearner

FEWEST_RUNS = 3
SOME_SEEDS = "told apart under some seeds"


def audit_algorithm(
    unlearner: Any,
    task: UnlearningTask,
    max_mia_auc: float = MAX_MIA_AUC,
    *,
    runs: int = 10,
    requests: Requests = "drawn",
    require_controls: bool = REQUIRE_CONTROLS,
    confidence: float = CONFIDENCE,
    output: Output = None,
    output_kind: OutputKind | None = None,
    max_share_left: float = MAX_SHARE_LEFT,
) -> Evidence:
    """Audit whether a method forgets requests like this one, whatever its seeds.

    Models are what is sampled: each run trains an original and unlearns a request with seeds of their own; an attack's
    AUC is averaged over runs, and its interval is Student's t over them. So a request too small to be judged by itself
    can be judged as one of many.

    Args:
        unlearner: `unlearner(model, retain, forget, *, seed) -> model`.
        task: with a recipe, which every run trains its original by; its references serve all runs.
        max_mia_auc: the largest mean membership-inference AUC that is tolerated, between 0.5 and 1; 1 - max_mia_auc is
            the smallest. An exact method gives 0.5.
        runs: how many, three or more; each trains one model and runs the method once.
        requests: "drawn": requests of the size of the forget set, drawn from it and from controls; U-LiRA then compares
            runs with each other. "same": the forget set itself in each run.
        require_controls: whether a missing control makes the verdict INCONCLUSIVE at best.
        confidence: of every one-sided bound.
        output: which entry of a dict or tuple output holds the logits.
        output_kind: "logits", "probabilities" or "log-probabilities"; told by range and sum if it is not given.
        max_share_left: the largest share of the originals' mean excess over chance that PASS may leave, above 0 and
            below 1, by every deciding attack that recognises the originals.

    Returns:
        Evidence of the mean over all models that the method could make, of its classes, and of single runs: one that is
        told apart by itself with certainty is a FAIL, and runs that vary by more than chance are INCONCLUSIVE. It says
        nothing of a single released model: that is `audit_forgotten`'s.

    Raises:
        ValueError: a task without a recipe or references, fewer than three runs, or a method that changes its input.

    Source: Hayes et al. 2024 (U-LiRA); the claim and its interval are ours.
    """
    output = read_as(output, output_kind)
    terms = auc_terms(max_mia_auc, confidence, require_controls, max_share_left)
    if not isinstance(task, UnlearningTask) or task.recipe is None:
        raise ValueError("audit_algorithm trains an original for each run: pass an UnlearningTask with a recipe=.")
    check_unlearner(unlearner)
    if isinstance(runs, bool) or not isinstance(runs, int) or runs < FEWEST_RUNS:
        raise ValueError(
            f"runs must be a whole number from {FEWEST_RUNS}, since models are what is sampled; got {runs!r}."
        )
    if requests not in ("drawn", "same"):
        raise ValueError(f'requests must be "drawn" or "same", not {requests!r}.')
    if not task.has_references:
        raise ValueError("audit_algorithm compares with retrained models: give the task references, two or more.")
    limit, confidence, require_controls = terms.limit, terms.confidence, terms.require_controls
    done = simulate(unlearner, task, open_pool(task, requests), runs, output)
    same = requests == "same"
    run_attacks = partial(over_runs, done, same=same, confidence=confidence)
    findings = run_attacks(lambda run: run.unlearned)
    compared = () if same else tuple(u_lira(done, confidence))
    findings = (*findings, *compared)
    findings = (*findings, *classes_over_runs(done, findings[0].attack, same=same, confidence=confidence))
    judged = judge_attacks(findings, limit, confidence)
    power, retrained, shown = run_controls(
        done, run_attacks, findings, limit, confidence, terms.max_share_left, coarse=is_coarse(findings)
    )
    controls = Controls(original=power.control, retrained=retrained)
    lacking = _runs_that_do(done, judged, power, shown, terms)
    decision = decide(
        judged,
        vetoes=failed_negative_control(controls, advice.CONTROLS_DIFFER),
        before=[
            *_failing(failing_runs(done, limit, confidence), runs),
            *doubts_over_runs(done, findings, confidence, bootstrapped=task.bootstrapped),
        ],
        advice=lacking,
        doubts=[
            *missing_controls(
                controls,
                require_controls,
                no_power=lacking,
                no_negative="" if retrained else "at least two references are needed",
            ),
            *power.objections(few=lacking),
        ],
        scope=(_scope(done, same),),
        notes=() if same or runs < ENOUGH_RUNS else _not_compared({finding.name for finding in compared}),
    )
    return build_evidence(
        terms.claim("algorithm", "mean membership AUC over models"),
        decision,
        findings,
        controls=controls,
        provenance={
            **provenance(
                unlearner,
                (task.forget, task.controls),
                task,
                original=False,
                retrained=True,
                runs=runs,
                requests=requests,
                seeds=[run.seed for run in done],
                require_controls=require_controls,
                max_share_left=terms.max_share_left,
            ),
            "method": method_digest(unlearner),
        },
        **power.recorded,
        figures=(_table(done, findings[0].attack),),
    )


def _failing(seeds: Sequence[int], runs: int) -> list[Objection]:
    """Return the objection that the method FAILs under these seeds."""
    if not seeds:
        return []
    reason = f"in {len(seeds)} of {runs} runs the model is told apart by itself: seeds {', '.join(map(str, seeds))}"
    return [Objection((reason,), (advice.LEAK["recognisable"],), Verdict.FAIL, SOME_SEEDS)]


def _runs_that_do(
    runs: Sequence[Run], judged: Decision[AttackFinding], power: PowerCheck, shown: float | None, terms: AucTerms
) -> tuple[str, ...]:
    """Advise on the one number of runs that an exact method passes with, nine times in ten.

    What `plan` and the advice of other claims compute (certify), and no fewer than these runs' own spread asks.
    """
    if judged.verdict is Verdict.INCONCLUSIVE and not runs[0].pairing.exchangeable:
        return _of_one_request(judged.finding, terms)
    count, size = len(runs), len(runs[0].unlearned.forget.labels)
    this = request(size, len(runs[0].unlearned.controls.labels), **runs[0].pairing.labels)
    original = this.counted_on(shown, count)
    closed = this.runs_needed(terms.limit, terms.confidence, original, terms.max_share_left)
    spread = math.ceil(count * power.times) if power.control.holds and math.isfinite(power.times) else 0
    share, gone = power.share_left, ""
    if share is not None and math.isfinite(share[1].high):
        surely = max(0.0, 1 - share[1].high)
        gone = f" (by {share[0]} at least {surely:.0%} is gone, and PASS asks for {1 - power.most:.0%})"
    needed = max(MOST_RUNS + 1 if closed is None else closed, spread)
    if needed > MOST_RUNS:
        return (
            f"the method is not to be judged on requests of this size{gone}: no affordable number of runs shows it",
        )
    if needed <= count:
        often = f"of exact methods nine in ten pass with {count} runs, and this one did not{gone}"
        return (f"{often}: it leaves something, or is the tenth; runs={2 * count} tell which",)
    recognised = f"if originals are recognised with a mean AUC of {original:.2f}"
    if shown is not None and abs(shown - original) >= 0.005:
        recognised += f" (in these runs it is {shown:.2f})"
    step = f"about runs={needed} let a perfect method pass {RUNS_POWER:.0%} of the time, {recognised}{gone}"
    return (f"{step}; what has run is not run again. Decide on a number once: runs added until it passes prove little",)


def _of_one_request(finding: AttackFinding, terms: AucTerms) -> tuple[str, ...]:
    """Advise on runs that are all judged on the same examples."""
    estimate, measure = finding.estimate, finding.measure
    gap = min(abs(estimate.value - terms.limit), abs(estimate.value - (1 - terms.limit)))
    if gap >= advice.HOPELESS and isinstance(measure, ModelsMeasure):
        needed = measure.needed(gap, terms.confidence, RUNS_POWER)
        if needed is not None:
            return (f"about runs={max(needed, measure.values.size + 1)} would settle it",)
    return ('no number of runs settles it, as all are judged on the same examples: pass requests="drawn"',)


def _not_compared(compared: set[str]) -> tuple[str, ...]:
    """Note the comparisons of runs with each other that could not be made."""
    missing = [name for name in NULLS if name not in compared]
    if not missing:
        return ()
    return (f"{', '.join(missing)}: left out, since the models of all runs answer alike and nothing tells them apart",)


def _scope(runs: Sequence[Run], same: bool) -> str:
    size = len(runs[0].unlearned.forget.labels)
    kind = (
        f"the same request of {size} examples"
        if same
        else f"requests of {size} examples, drawn from forget and controls"
    )
    return f"judged over {len(runs)} runs with fresh seeds, {kind}; this says nothing of one released model"


def _table(runs: Sequence[Run], attack: Attack) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for run in runs:
        values = [
            attack.measure(attack.score(model, run.others, run.pairing), run.pairing).value
            for model in (replace(run.original, original=None), run.unlearned)
        ]
        rows.append((run.seed, int(run.drawn.sum()), *(round(value, 4) for value in values)))
    return Table(
        title="Run by run",
        caption=f"AUC of {attack.name} in each run's original and unlearned model, 0.5 in the latter under perfect "
        "unlearning.",
        columns=("seed", "forget", "original", "unlearned"),
        rows=tuple(rows),
    )
