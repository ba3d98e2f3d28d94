"""audit_not_relearnable: does the model learn the forget set again no faster, and no slower, than retrained ones?"""

from __future__ import annotations

import math
from typing import Any

from pytest_unlearn.audits.case import Case
from pytest_unlearn.audits.features import open_task_case
from pytest_unlearn.audits.identity import ONLY_ITSELF, identity_notes, twin_of
from pytest_unlearn.audits.provenance import provenance
from pytest_unlearn.audits.relearning_areas import excess, measure_areas, retrained_curves
from pytest_unlearn.audits.relearning_exhibits import anamnesis_table, learning_plot
from pytest_unlearn.audits.relearning_ruling import hold_controls, rule
from pytest_unlearn.evidence import Claim, Evidence, FloatArray
from pytest_unlearn.outputs import Output
from pytest_unlearn.queries.asking import ask
from pytest_unlearn.queries.relearning import Relearning
from pytest_unlearn.query import Query
from pytest_unlearn.settings import CONFIDENCE, MAX_RELEARNING, REQUIRE_CONTROLS, resolve


def audit_not_relearnable(
    model: Any,
    forget: Any,
    max_ratio: float = MAX_RELEARNING,
    *,
    steps: int = 30,
    seeds: int = 3,
    learning_rate: float = 1e-3,
    require_controls: bool = REQUIRE_CONTROLS,
    confidence: float = CONFIDENCE,
    output: Output = None,
) -> Evidence:
    """Does the model relearn the forget set as fast as models that never saw it, and no faster?

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
        max_ratio: how many times smaller or larger the area may be, above 1. Perfect unlearning gives a ratio of 1.
        steps: of Adam on batches of 64 forget examples, from 1.
        seeds: copies of each model that learn, each in an order of its own, from 1.
        learning_rate: of Adam, above 0.
        require_controls: whether a missing control makes the verdict INCONCLUSIVE at best.
        confidence: of each one-sided bound: those of predicting a further retrained model.
        output: which entry of a dict or tuple output holds the logits.

    Returns:
        Evidence; its estimate is the natural logarithm of the ratio of areas, model over retrained, 0 under perfect
        unlearning. A table gives AIN, the steps until near the original's accuracy over the references' steps.

    Raises:
        ValueError: a forget set without a task, a task without references, models that cannot be trained.

    Sources: Golatkar et al. 2020 (relearn time); Chundawat et al. 2023, "Zero-shot machine unlearning" (AIN).
    """
    limit, level = resolve("max_relearning", max_ratio), resolve("confidence", confidence)
    strict = resolve("require_controls", require_controls)
    for name, given in (("steps", steps), ("seeds", seeds)):
        if not isinstance(given, int) or given < 1:
            raise ValueError(f"{name} must be a whole number from 1, not {given!r}.")
    if not learning_rate > 0:
        raise ValueError(f"learning_rate must be a number above 0, not {learning_rate!r}.")
    case = open_task_case(forget, output, strict.value, "assert_not_relearnable")
    query = Query(name="relearning", ask=Relearning(steps, seeds, learning_rate, output))
    curves = _curves(case, model, query)
    highest = math.log(limit.value)
    measures = measure_areas(curves["this model"], retrained_curves(curves), case)
    estimates = {name: measure.at(level.value) for name, measure in measures.items()}
    worst = max(estimates, key=lambda name: excess(estimates[name], highest))
    controls = hold_controls(curves, case, highest, level.value)
    verdict, label, reasons, then = rule(measures, worst, controls, highest, level.value, strict.value)
    return Evidence(
        claim=Claim(
            name="not_relearnable",
            quantity="logarithm of relearning area over retrained models'",
            lowest=-highest,
            highest=highest,
            sources={
                "max_relearning": limit.source,
                "confidence": level.source,
                "require_controls": strict.source,
            },
        ),
        verdict=verdict,
        estimate=estimates[worst],
        decided_by=worst,
        label=label,
        attacks=estimates,
        deciding=tuple(estimates),
        controls=controls,
        reasons=(*reasons, *identity_notes(model, case.original, case.references)),
        advice=then,
        provenance=provenance(
            model,
            (case.forget,),
            case.task,
            original=case.original is not None,
            retrained=True,
            steps=steps,
            seeds=seeds,
            learning_rate=learning_rate,
            require_controls=strict.value,
            references=len(retrained_curves(curves)),
        ),
        exhibits=(learning_plot(curves, query), anamnesis_table(curves, query)),
    )


def _curves(case: Case, model: Any, query: Query) -> dict[str, FloatArray]:
    """What the query found of each model; a reference that is the audited model itself is left out."""
    task = case.task
    assert task is not None
    twin = twin_of(model, None, case.references)
    if twin and len(case.references) == 1:
        raise ValueError(ONLY_ITSELF)
    found = {"this model": ask(query, model, case.forget, classes=case.classes, output=case.output, device=task.device)}
    if case.original is not None:
        found["original"] = task.asked(query, case.original, case.forget, case.output)
    for number, reference in enumerate(case.references):
        if twin != f"retrained {number}":
            found[f"retrained {number}"] = task.asked(query, reference, case.forget, case.output)
    return found
