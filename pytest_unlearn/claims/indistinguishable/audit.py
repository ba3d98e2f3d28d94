"""audit_indistinguishable: are the method's models like retrained ones, as like as retrained ones are each other?"""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_unlearn.claims.common.provenance import provenance
from pytest_unlearn.claims.indistinguishable.figures import quality_exhibits
from pytest_unlearn.claims.indistinguishable.model_samples import MOST_RUNS, Laws, Originals, sample_laws
from pytest_unlearn.core.evidence import Claim, ControlResult, Controls, Estimate, Evidence, FloatArray, Verdict
from pytest_unlearn.core.settings import CONFIDENCE, MIN_RATIO, REQUIRE_CONTROLS, resolve
from pytest_unlearn.models.predict import Output
from pytest_unlearn.statistics import QualityRatio, models_apart, quality_ratio, told_apart
from pytest_unlearn.task import UnlearningTask

FEWEST_RUNS = 10  # the negative control has half as many models
QUALITY = "forgetting quality"
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
) -> Evidence:
    """Do models that the method unlearned answer the forget set as models retrained without it do? Over many of each.

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

    Returns:
        Evidence of the ratio, with models as what is sampled and the forget set as given: PASS needs its lower bound
        at least min_ratio, and originals in the unlearned models' place to FAIL. It says nothing of one released model.

    Raises:
        ValueError: a task without a recipe, a recipe that ignores its seed, fewer than ten runs, or a method that
            changes its input.

    Source: Triantafillou 2023, "Evaluation for the NeurIPS machine unlearning competition"; judging F by its own null
        is ours.
    """
    if not isinstance(task, UnlearningTask) or task.recipe is None:
        raise ValueError("audit_indistinguishable trains models of every kind: pass an UnlearningTask with a recipe=.")
    if isinstance(runs, bool) or not isinstance(runs, int) or not FEWEST_RUNS <= runs <= MOST_RUNS:
        raise ValueError(
            f"runs must be a whole number from {FEWEST_RUNS} to {MOST_RUNS:,}, since models are what is sampled; "
            f"got {runs!r}."
        )
    if originals not in ("fresh", "one"):
        raise ValueError(f'originals must be "fresh" or "one", not {originals!r}.')
    limit, level = resolve("min_ratio", min_ratio), resolve("confidence", confidence)
    strict = resolve("require_controls", require_controls)
    laws = sample_laws(unlearner, task, runs, originals, output)
    ratio = quality_ratio(laws.unlearned.margins, laws.retrained.margins)
    estimate = ratio.at(level.value)
    controls = _controls(laws, limit.value, level.value)
    verdict, reasons, then = _rule(laws, estimate, controls, limit.value, strict.value)
    return Evidence(
        claim=Claim(
            name="indistinguishable",
            quantity="forgetting quality relative to retrained models",
            lowest=limit.value,
            sources={"min_ratio": limit.source, "confidence": level.source, "require_controls": strict.source},
        ),
        verdict=verdict,
        estimate=estimate,
        decided_by=QUALITY,
        label=UNLIKE if verdict is Verdict.FAIL else "",
        attacks={QUALITY: estimate},
        deciding=(QUALITY,),
        controls=controls,
        reasons=(_scope(ratio, originals), *reasons),
        advice=then,
        provenance=provenance(
            unlearner,
            (task.forget, task.retain, task.test),
            task,
            original=originals == "one",
            retrained=False,
            runs=runs,
            originals=originals,
            require_controls=strict.value,
        ),
        exhibits=quality_exhibits(laws, task.forget.indices, level.value),
    )


def _controls(laws: Laws, limit: float, confidence: float) -> Controls:
    """Originals must be told apart; retrained models, half of them in the unlearned ones' place, must not."""
    pool = laws.retrained.margins
    half = len(pool) // 4
    honest = quality_ratio(pool[:half], pool[half : 3 * half]).at(confidence)
    fails = honest.high < limit
    negative = ControlResult(
        name="retrained",
        holds=not fails,
        attack=QUALITY,
        estimate=honest,
        says=f"{half} retrained models in the unlearned ones' place are {'' if fails else 'not '}told apart",
    )
    if laws.originals is None:
        return Controls(retrained=(negative,))
    known = quality_ratio(laws.originals.margins, pool).at(confidence)
    holds = known.high < limit
    positive = ControlResult(
        name="original",
        holds=holds,
        attack=QUALITY,
        estimate=known,
        says=f"originals in the unlearned models' place are {'' if holds else 'not '}told apart with certainty",
    )
    return Controls(original=positive, retrained=(negative,))


def _rule(
    laws: Laws, estimate: Estimate, controls: Controls, limit: float, strict: bool
) -> tuple[Verdict, tuple[str, ...], tuple[str, ...]]:
    """INVALID, then FAIL, then INCONCLUSIVE, then PASS."""
    ours, theirs = laws.unlearned, laws.retrained
    count = len(ours.margins)
    if not controls.retrained[0].holds or np.isnan(estimate.value):
        says = controls.retrained[0].says if not controls.retrained[0].holds else "retrained models share no quality"
        return Verdict.INVALID, (f"the negative control fails: {says}",), (MORE_RUNS,)
    if ours.distinct == 1:
        return Verdict.INVALID, (f"all {count} unlearned models are the same: the method ignores its seed",), (SEEDED,)
    shared = _shared(ours.margins, theirs.margins)
    if shared:
        says = f"{shared} of {count} unlearned models equal retrained ones that they are compared with"
        return Verdict.INVALID, (says,), (SEEDED,)
    if estimate.high < limit:
        return Verdict.FAIL, (f"{UNLIKE}: even the upper bound {estimate.high:.3f} is below {limit:g}",), (REPAIR,)
    doubts: list[tuple[str, str]] = []
    for law, name in ((ours, "unlearned"), (theirs, "retrained")):
        if law.distinct < len(law.margins):
            doubts.append((f"only {law.distinct} of {len(law.margins)} {name} models differ", SEEDED))
    if estimate.low < limit:
        doubts.append((f"the interval [{estimate.low:.3f}, {estimate.high:.3f}] contains {limit:g}", MORE_RUNS))
    hidden = told_apart(ours.margins, theirs.margins, estimate.confidence)[1]
    if len(hidden):
        says = f"{len(hidden)} of {ours.margins.shape[1]} examples are told apart in nearly every model, which a mean"
        doubts.append((f"{says} over examples hides", ONE_BY_ONE))
    apart = models_apart(ours.margins, theirs.margins)
    if len(apart):
        which = ", ".join(str(k) for k in apart)
        doubts.append((f"{len(apart)} of {count} unlearned models ({which}) are unlike any retrained one", RUN_BY_RUN))
    if controls.original is not None and not controls.original.holds:
        doubts.append((f"no power: {controls.original.says}", NO_POWER))
    if strict and controls.original is None:
        doubts.append(('no positive control: originals="one" trains a single original', FRESH))
    if doubts:
        found, then = zip(*doubts, strict=True)
        return Verdict.INCONCLUSIVE, found, tuple(dict.fromkeys(then))
    notes = () if strict else ("require_controls=False: missing controls were accepted by the caller",)
    return Verdict.PASS, notes, ()


def _shared(ours: FloatArray, theirs: FloatArray) -> int:
    known = {row.tobytes() for row in theirs}
    return sum(row.tobytes() in known for row in ours)


def _scope(ratio: QualityRatio, originals: Originals) -> str:
    of = "fresh originals" if originals == "fresh" else "one original"
    return (
        f"{ratio.models} models unlearned from {of} against {2 * ratio.models} retrained ones: F {ratio.quality:.3f}, "
        f"where retrained models give each other {ratio.ceiling:.3f}; this says nothing of one released model"
    )


MORE_RUNS = "judge more examples, which narrows the interval, or more models (runs=32, 64), which F tells apart better"
SEEDED = "let the method draw from the seed it is given, and from nothing that retraining draws from"
REPAIR = "unlearn differently or repair the model on retain: what it answers on the forget set is not as if retrained"
ONE_BY_ONE = "look at these examples one by one in the table of examples: the method leaves or damages them"
RUN_BY_RUN = "look at these runs one by one: under some of its seeds the method leaves what it removes under the others"
NO_POWER = "F cannot tell even originals apart here, so not telling the unlearned models apart proves nothing"
FRESH = 'pass originals="fresh", which trains an original a run, or require_controls=False to do without the control'
