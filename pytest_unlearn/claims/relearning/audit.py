"""Audit of how fast a model relearns the forget set, beside retrained ones."""

from __future__ import annotations

import math
from typing import Any

from pytest_unlearn.claims.common.evidence import resolve_all
from pytest_unlearn.claims.common.inputs import AuditInputs, check_task, resolve_task_inputs
from pytest_unlearn.claims.common.provenance import ONLY_ITSELF, identity_notes, provenance, twin_of
from pytest_unlearn.claims.relearning.conclusion import Relearned, conclude
from pytest_unlearn.claims.relearning.curves import anamnesis_table, learning_plot, retrained_curves
from pytest_unlearn.claims.relearning.query import Relearning, check_trainable
from pytest_unlearn.core.arguments import finite_number, whole_number
from pytest_unlearn.core.evidence import Claim, Evidence, FloatArray
from pytest_unlearn.core.settings import CONFIDENCE, MAX_RELEARNING, MAX_SHARE_LEFT, REQUIRE_CONTROLS, resolve
from pytest_unlearn.models.acceptance import check_model
from pytest_unlearn.models.predict import Output, OutputKind, read_as
from pytest_unlearn.models.query import Query

CALLER = "assert_not_relearnable"


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
    steps, seeds = whole_number(steps, "steps", 1), whole_number(seeds, "seeds", 1)
    learning_rate = finite_number(learning_rate, "learning_rate", 0)
    check_model(model)
    check_task(forget, CALLER)
    check_trainable(model)
    inputs = resolve_task_inputs(
        model, forget, output, require_controls, CALLER
    ).everything  # references say how fast it goes, controls do not
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
    relearned = Relearned(
        curves=curves,
        confidence=confidence,
        require_controls=require_controls,
        max_share_left=share,
        notes=identity_notes(model, inputs.original, inputs.references, inputs.models),
    )
    return conclude(
        relearned,
        claim,
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
        figures=(learning_plot(curves, query), anamnesis_table(curves, query)),
        scores=relearned.record(claim) if resolve("store_scores").value else None,
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
