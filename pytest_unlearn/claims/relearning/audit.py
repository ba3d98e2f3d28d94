"""Audit of how fast a model relearns the forget set, beside retrained ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pytest_unlearn.claims.common import advice
from pytest_unlearn.claims.common.controls import PowerCheck, family_confidence, negative_control, power_check, without
from pytest_unlearn.claims.common.evidence import build_evidence, resolve_all
from pytest_unlearn.claims.common.inputs import AuditInputs, resolve_task_inputs
from pytest_unlearn.claims.common.provenance import ONLY_ITSELF, identity_notes, provenance, twin_of
from pytest_unlearn.claims.common.verdict import Finding, decide, failed_negative_control, missing_controls
from pytest_unlearn.claims.relearning.curves import (
    anamnesis_table,
    judge_areas,
    learning_plot,
    measure_areas,
    retrained_curves,
)
from pytest_unlearn.claims.relearning.query import Relearning
from pytest_unlearn.core.evidence import Claim, ControlResult, Controls, Estimate, Evidence, FloatArray
from pytest_unlearn.core.settings import CONFIDENCE, MAX_RELEARNING, MAX_SHARE_LEFT, REQUIRE_CONTROLS
from pytest_unlearn.models.predict import Output, OutputKind, read_as
from pytest_unlearn.models.query import Query
from pytest_unlearn.statistics import normal_quantile, share_of_estimates


def audit_not_relearnable(
    model: Any,
    forget: Any,
    max_ratio: float = MAX_RELEARNING,
    *,
    steps: int = 30,
    seeds: int = 2,
    learning_rate: float = 1e-3,
    require_controls: bool = REQUIRE_CONTROLS,
    confidence: float = CONFIDENCE,
    output: Output = None,
    output_kind: OutputKind | None = None,
    max_share_left: float = MAX_SHARE_LEFT,
) -> Evidence:
    """Audit whether the model relearns the forget set no faster than retrained models.

    Copies of the model are trained on the forget set for a few steps; the areas under their loss and under their error
    rate are compared with those of the retrained references, as ratios, on both sides: a smaller area is left-over
    knowledge, a larger one conspicuous damage. A temperature moves the first, and cannot move the second.

    Relearning alone must not gate a release. It can be gamed (a masked class logit relearns slowly and looks
    over-forgotten; a filter that no training gets through never relearns), it depends on the optimizer and its rate,
    and where a few steps teach anything it separates nothing. Gate on it beside `assert_forgotten` and
    `assert_features_forgotten` only.

    Args:
        model: the unlearned model, an `nn.Module` with trainable weights.
        forget: the forget view of an `UnlearningTask` or its loader.
        max_ratio: how many times smaller or larger the area may be, above 1 and at most 10. Perfect unlearning gives 1.
        steps: of Adam on batches of 64 forget examples, from 1.
        seeds: copies of each model that learn, each in an order of its own, from 1.
        learning_rate: of Adam, above 0.
        require_controls: whether a missing control makes the verdict INCONCLUSIVE at best.
        confidence: of each one-sided bound: those of predicting a further retrained model.
        output: which entry of a dict or tuple output holds the logits.
        output_kind: "logits", "probabilities" or "log-probabilities"; told by range and sum if it is not given.
        max_share_left: the largest share of the original's distance from retrained models, on the logarithmic scale,
            that PASS may leave, above 0 and below 1.

    Returns:
        Evidence; its estimate is the natural logarithm of the ratio of areas, model over retrained, 0 under perfect
        unlearning. A table gives AIN, the steps until near the original's accuracy over the references' steps.

    Raises:
        ValueError: a forget set without a task, a task without references, models that cannot be trained.

    Sources: Golatkar et al. 2020 (relearn time); Chundawat et al. 2023, "Zero-shot machine unlearning" (AIN).
    """
    output = read_as(output, output_kind)
    sources, (limit, confidence, require_controls, share) = resolve_all(
        max_relearning=max_ratio,
        confidence=confidence,
        require_controls=require_controls,
        max_share_left=max_share_left,
    )
    for name, given in (("steps", steps), ("seeds", seeds)):
        if not isinstance(given, int) or given < 1:
            raise ValueError(f"{name} must be a whole number from 1, not {given!r}.")
    if not learning_rate > 0:
        raise ValueError(f"learning_rate must be a number above 0, not {learning_rate!r}.")
    inputs = resolve_task_inputs(forget, output, require_controls, "assert_not_relearnable")
    query = Query(name="relearning", ask=Relearning(steps, seeds, learning_rate, output))
    curves = _curves(inputs, model, query)
    highest = math.log(limit)
    claim = Claim(
        name="not_relearnable",
        quantity="logarithm of relearning area over retrained models'",
        lowest=-highest,
        highest=highest,
        sources=sources,
    )
    findings = measure_areas(curves["this model"], retrained_curves(curves), len(inputs.forget), confidence)
    judged = judge_areas(findings, claim, confidence)
    power = original_power(curves, findings, share, highest)
    retrained = retrained_controls(curves, len(inputs.forget), claim, confidence)
    controls = Controls(original=power.control if power is not None else None, retrained=retrained)
    vetoes = failed_negative_control(controls, advice.UNLIKE_REFERENCES)
    decision = decide(
        judged,
        vetoes=vetoes,
        advice=advice.TRIAL_UNSETTLED,
        doubts=[
            *missing_controls(
                controls, require_controls, (NO_POWER,), "" if len(retrained) >= FEWEST_REFERENCES else TOO_FEW
            ),
            *(power.objections() if power is not None else []),
        ],
        notes=(
            *(() if vetoes else (finding.summary for finding in findings)),
            *identity_notes(model, inputs.original, inputs.references, inputs.models),
        ),
    )
    return build_evidence(
        claim,
        decision,
        findings,
        controls=controls,
        provenance=provenance(
            model,
            (inputs.forget,),
            inputs.task,
            models=inputs.models,
            original=inputs.original is not None,
            retrained=True,
            steps=steps,
            seeds=seeds,
            learning_rate=learning_rate,
            require_controls=require_controls,
            references=len(retrained_curves(curves)),
            max_share_left=share,
        ),
        **({} if power is None else power.recorded),
        figures=(learning_plot(curves, query), anamnesis_table(curves, query)),
    )


def _curves(inputs: AuditInputs, model: Any, query: Query) -> dict[str, FloatArray]:
    """Ask each model the query, without references equal to the audited model."""
    task = inputs.task
    assert task is not None
    twin = twin_of(model, None, inputs.references, inputs.models)
    if twin and len(inputs.references) == 1:
        raise ValueError(ONLY_ITSELF)
    found = {"this model": inputs.models.of(model).ask(query, inputs.forget, inputs.output)}
    if inputs.original is not None:
        found["original"] = inputs.models.of(inputs.original).ask(query, inputs.forget, inputs.output)
    for number, reference in enumerate(inputs.references):
        if twin != f"retrained {number}":
            found[f"retrained {number}"] = inputs.models.of(reference).ask(query, inputs.forget, inputs.output)
    return found


def original_power(
    curves: dict[str, FloatArray], findings: Sequence[Finding], most: float, limit: float
) -> PowerCheck | None:
    """Check that the original differs from references, and bound what is left of that."""
    if "original" not in curves:
        return None
    estimate = findings[0].estimate
    original = measure_areas(curves["original"], retrained_curves(curves), estimate.n_forget, estimate.confidence)

    def share(audited: Finding, known: Finding) -> Estimate:
        return share_of_estimates(audited.estimate, known.estimate)

    where = "by the speed at which the original relearns"
    z = normal_quantile(estimate.confidence)  # the band is the references' alone
    errors = {one.name: (one.estimate.high - one.estimate.low) / (2 * z) for one in findings}
    return power_check(
        original, findings, share, most, limit=limit, chance=0.0, errors=errors, two_sided=True, where=where
    )


def retrained_controls(
    curves: dict[str, FloatArray], n_forget: int, claim: Claim, confidence: float
) -> tuple[ControlResult, ...]:
    """Check that no reference differs from the others."""
    references = retrained_curves(curves)
    corrected = family_confidence(confidence, len(references))
    rows = []
    for k, curve in enumerate(references if len(references) > 2 else ()):
        areas = measure_areas(curve, without(references, k), n_forget, confidence)
        rows.append(negative_control(k, judge_areas(areas, claim, corrected), DIFFERS, ALIKE))
    return tuple(rows)


DIFFERS, ALIKE = (
    f"{how} retrained models" for how in ("relearns at another speed than", "cannot be told with certainty from")
)
FEWEST_REFERENCES = 3
TOO_FEW = "at least three references are needed, of which two judge the third"
NO_POWER = "train copies for fewer steps or at a smaller learning rate, or do without this claim"
