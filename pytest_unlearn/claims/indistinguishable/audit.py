"""Audit of whether a method's models are distributed like retrained ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from pytest_unlearn.claims.common.evidence import build_evidence, resolve_all
from pytest_unlearn.claims.common.provenance import provenance
from pytest_unlearn.claims.common.verdict import (
    FailureKind,
    Finding,
    Objection,
    Wording,
    controls_waived,
    decide,
    doubt,
    failed_negative_control,
    invalid,
    judge,
    missing_controls,
)
from pytest_unlearn.claims.indistinguishable.figures import quality_figures
from pytest_unlearn.claims.indistinguishable.model_samples import MOST_RUNS, ModelSamples, Originals, sample_models
from pytest_unlearn.core.evidence import Claim, ControlResult, Controls, Estimate, Evidence, FloatArray, Verdict
from pytest_unlearn.core.numbers import portion, portion_at_most
from pytest_unlearn.core.settings import CONFIDENCE, MAX_SHARE_LEFT, MIN_RATIO, REQUIRE_CONTROLS
from pytest_unlearn.models.predict import Output, OutputKind, read_as
from pytest_unlearn.statistics import (
    QualityRatio,
    distinguishable_examples,
    outlier_models,
    quality_ratio,
    share_of_estimates,
)
from pytest_unlearn.task import UnlearningTask
from pytest_unlearn.training.signatures import check_unlearner

FEWEST_RUNS = 10  # the negative control has half as many models
QUALITY = "forgetting quality"
ALIKE = 1.0  # the ratio of models that are distributed like retrained ones
UNLIKE = "unlike the retrained models"


def audit_indistinguishable(
    unlearner: Any,
    task: UnlearningTask,
    min_ratio: float = MIN_RATIO,
    *,
    runs: int = 16,
    originals: Originals = "fresh",
    require_controls: bool = REQUIRE_CONTROLS,
    confidence: float = CONFIDENCE,
    output: Output = None,
    output_kind: OutputKind | None = None,
    max_share_left: float = MAX_SHARE_LEFT,
) -> Evidence:
    """Audit whether unlearned models answer the forget set as retrained models do.

    The forgetting quality F of the NeurIPS 2023 challenge, F(U, R), relative to F(R, R') of two sets of retrained
    models, since even equal laws have an F near 0.2. For each run an original is trained and unlearned and two models
    are retrained; all are cached.

    Args:
        unlearner: `unlearner(model, retain, forget, *, seed) -> model`.
        task: with a recipe whose models differ by their seed; its references are not used.
        min_ratio: the smallest tolerated F(U, R) / F(R, R'), above 0 and below 1. It is 1 under perfect unlearning.
            For Gaussian laws of equal width 0.75 allows a shift of 0.6 standard deviations with 16 runs, of 0.4 with
            64: F tells more apart the more models there are.
        runs: how many models are unlearned, from 10 to 10,000; twice as many are retrained.
        originals: "fresh": each run unlearns an original of its own, as the challenge does. "one": the task's original
            is unlearned under every seed, which saves the other originals; there is no positive control then, and what
            that one original leaves in all its descendants counts against the method.
        require_controls: whether a missing control makes the verdict INCONCLUSIVE at best.
        confidence: of every one-sided bound.
        output: which entry of a dict or tuple output holds the logits.
        output_kind: "logits", "probabilities" or "log-probabilities"; told by range and sum if it is not given.
        max_share_left: the largest share of the originals' distance from a ratio of 1 that PASS may leave, above 0 and
            below 1.

    Returns:
        Evidence of the ratio, with models as what is sampled and the forget set as given: PASS needs its lower bound
        at least min_ratio, originals in the unlearned models' place to be told apart, and no more than max_share_left
        of their distance from 1. It says nothing of one released model.

    Raises:
        ValueError: a task without a recipe, a recipe that ignores its seed, fewer than ten runs, or a method that
            changes its input.

    Source: Triantafillou 2023, "Evaluation for the NeurIPS machine unlearning competition"; judging F by its own null
        is ours.
    """
    output = read_as(output, output_kind)
    if not isinstance(task, UnlearningTask) or task.recipe is None:
        raise ValueError("audit_indistinguishable trains models of every kind: pass an UnlearningTask with a recipe=.")
    check_unlearner(unlearner)
    if isinstance(runs, bool) or not isinstance(runs, int) or not FEWEST_RUNS <= runs <= MOST_RUNS:
        raise ValueError(
            f"runs must be a whole number from {FEWEST_RUNS} to {MOST_RUNS:,}, since models are what is sampled; "
            f"got {runs!r}."
        )
    if originals not in ("fresh", "one"):
        raise ValueError(f'originals must be "fresh" or "one", not {originals!r}.')
    sources, (limit, confidence, require_controls, most) = resolve_all(
        min_ratio=min_ratio, confidence=confidence, require_controls=require_controls, max_share_left=max_share_left
    )
    samples = sample_models(unlearner, task, runs, originals, output)
    ratio = quality_ratio(samples.unlearned.margins, samples.retrained.margins)
    claim = Claim(
        name="indistinguishable",
        quantity="forgetting quality relative to retrained models",
        lowest=limit,
        sources=sources,
    )
    finding = Finding(
        name=QUALITY, measure=ratio, estimate=ratio.at(confidence), failures={"low": FailureKind(UNLIKE, REPAIR)}
    )
    judged = judge([finding], claim, confidence, wording=WORDING)
    controls = _controls(samples, limit, confidence)
    before = [
        doubt(f"only {sample.distinct} of {len(sample.margins)} {name} models differ", SEEDED)
        for sample, name in ((samples.unlearned, "unlearned"), (samples.retrained, "retrained"))
        if sample.distinct < len(sample.margins)
    ]
    doubts = _doubts(samples, controls, confidence, require_controls)
    left = _share_left(finding.estimate, controls)
    weak = _too_weak(controls, most) if judged.verdict is Verdict.PASS else ""
    if left is not None and left.high > most:
        told = TOO_MUCH.format(left=portion_at_most(left.high), estimate=portion(left.value), most=most)
        reason = f"not testable here: {weak}" if weak else told
        doubts.append(doubt(reason, MORE_RUNS, *(() if weak else (REPAIR,))))
    proven = judged.verdict is Verdict.PASS and not (before or doubts)
    decision = decide(
        judged,
        vetoes=_vetoes(samples, controls, finding.estimate),
        before=before,
        advice=(MORE_RUNS,),
        doubts=[*doubts, *([Objection(controls_waived(require_controls), verdict=Verdict.PASS)] if proven else [])],
        scope=(_scope(ratio, originals),),
    )
    return build_evidence(
        claim,
        decision,
        [finding],
        controls=controls,
        provenance=provenance(
            unlearner,
            (task.forget, task.retain, task.test),
            task,
            original=originals == "one",
            retrained=False,
            runs=runs,
            originals=originals,
            require_controls=require_controls,
            max_share_left=most,
        ),
        share_left=left,
        not_testable=weak,
        figures=quality_figures(samples, task.forget.indices, confidence),
    )


def _controls(samples: ModelSamples, limit: float, confidence: float) -> Controls:
    """Check that originals are told apart, and halves of the retrained are not."""
    pool = samples.retrained.margins
    half = len(pool) // 4

    def control(name: str, ratio: QualityRatio, below: float, reason: str, *, differs: bool) -> ControlResult:
        estimate = ratio.at(confidence)
        apart = estimate.high < below
        reason = reason.format("" if apart else "not ")
        return ControlResult(name=name, holds=apart is differs, attack=QUALITY, estimate=estimate, summary=reason)

    reason = f"{half} retrained models in the unlearned ones' place are {{}}told apart"
    negative = control("retrained", quality_ratio(pool[:half], pool[half : 3 * half]), limit, reason, differs=False)
    if samples.originals is None:
        return Controls(retrained=(negative,))
    reason = "originals in the unlearned models' place are {}told apart with certainty"
    # Of what a limit allows originals themselves may be within: it is the share left that PASS is held to.
    positive = control("original", quality_ratio(samples.originals.margins, pool), ALIKE, reason, differs=True)
    return Controls(original=positive, retrained=(negative,))


def _share_left(audited: Estimate, controls: Controls) -> Estimate | None:
    """Bound how much of the originals' distance from retrained models is left."""
    original = controls.original
    if original is None or not original.holds or np.isnan(audited.value):
        return None
    return share_of_estimates(audited, original.estimate, ALIKE)


def _too_weak(controls: Controls, most: float) -> str:
    """Explain why so few models would acquit nobody; empty if retrained ones would pass by the share left."""
    spread = controls.retrained[0].estimate  # of half as many models, so wider than the audited ones' would be
    value, scale = ALIKE, np.sqrt(0.5)
    low, high = value - scale * (spread.value - spread.low), value + scale * (spread.high - spread.value)
    honest = _share_left(replace(spread, value=value, low=float(low), high=float(high)), controls)
    return "" if honest is None or honest.high <= most else TOO_WEAK


def _vetoes(samples: ModelSamples, controls: Controls, estimate: Estimate) -> list[Objection]:
    """Return why these models cannot be compared."""
    unlearned, count = samples.unlearned.margins, len(samples.unlearned.margins)
    found = failed_negative_control(controls, MORE_RUNS)
    if not found and np.isnan(estimate.value):
        found.append(invalid("the negative control fails: retrained models share no quality", MORE_RUNS))
    if samples.unlearned.distinct == 1:
        found.append(invalid(f"all {count} unlearned models are the same: the method ignores its seed", SEEDED))
    shared = _shared(unlearned, samples.retrained.margins)
    if shared:
        reason = f"{shared} of {count} unlearned models equal retrained ones that they are compared with"
        found.append(invalid(reason, SEEDED))
    return found


def _doubts(samples: ModelSamples, controls: Controls, confidence: float, require_controls: bool) -> list[Objection]:
    """Return what means hide, and what the positive control leaves open."""
    ours, theirs = samples.unlearned.margins, samples.retrained.margins
    found = []
    hidden = distinguishable_examples(ours, theirs, confidence)[1]
    if len(hidden):
        reason = f"{len(hidden)} of {ours.shape[1]} examples are told apart in nearly every model, which a mean"
        found.append(doubt(f"{reason} over examples hides", ONE_BY_ONE))
    apart = outlier_models(ours, theirs)
    if len(apart):
        which = ", ".join(str(k) for k in apart)
        found.append(
            doubt(f"{len(apart)} of {len(ours)} unlearned models ({which}) are unlike any retrained one", RUN_BY_RUN)
        )
    if controls.original is None:
        missing = doubt('originals="one" trains a single original, which shows no power (no positive control)', FRESH)
        return [*found, missing] if require_controls else found
    return [*found, *missing_controls(controls, require_controls, (NO_POWER,))]


def _shared(ours: FloatArray, theirs: FloatArray) -> int:
    rows = {row.tobytes() for row in theirs}
    return sum(row.tobytes() in rows for row in ours)


def _scope(ratio: QualityRatio, originals: Originals) -> str:
    of = "fresh originals" if originals == "fresh" else "one original"
    return (
        f"{ratio.models} models unlearned from {of} against {2 * ratio.models} retrained ones: F {ratio.quality:.3f}, "
        f"where retrained models give each other {ratio.ceiling:.3f}; this says nothing of one released model"
    )


TOO_MUCH = (
    "not enough is gone: {left} of the originals' distance from retrained models may be left (the estimate is "
    "{estimate}), and PASS allows {most:.0%}"
)
TOO_WEAK = "originals are told apart from retrained models, but too weakly for so few models to show that it is gone"
MORE_RUNS = "judge more examples, which narrows the interval, or more models (runs=32, 64), which F tells apart better"
SEEDED = "let the method draw from the seed it is given, and from nothing that retraining draws from"
REPAIR = "unlearn differently or repair the model on retain: what it answers on the forget set is not as if retrained"
ONE_BY_ONE = "look at these examples one by one in the table of examples: the method leaves or damages them"
RUN_BY_RUN = "look at these runs one by one: under some of its seeds the method leaves what it removes under the others"
NO_POWER = "F cannot tell even originals apart here, so not telling the unlearned models apart proves nothing"
FRESH = 'pass originals="fresh", which trains an original a run, or require_controls=False to do without the control'
WORDING = Wording(
    beyond="{label}: even the upper bound {finding.estimate.high:.3f} is below {limits.lowest:g}",
    unsettled="the interval [{finding.estimate.low:.3f}, {finding.estimate.high:.3f}] contains {limits.lowest:g}",
)
