"""audit_not_relearnable: does the model learn the forget set again no faster, and no slower, than retrained ones?

What relearning curves say of a model, and of the controls.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pytest_unlearn.claims.common import advice
from pytest_unlearn.claims.common.inputs import Case
from pytest_unlearn.claims.common.provenance import ONLY_ITSELF, identity_notes, provenance, twin_of
from pytest_unlearn.claims.features.audit import open_task_case
from pytest_unlearn.claims.relearning.curves import (
    anamnesis_table,
    beyond_limits,
    excess,
    learning_plot,
    measure_areas,
    retrained_curves,
)
from pytest_unlearn.claims.relearning.query import Relearning
from pytest_unlearn.core.evidence import Claim, ControlResult, Controls, Evidence, FloatArray, Verdict
from pytest_unlearn.core.settings import CONFIDENCE, MAX_RELEARNING, REQUIRE_CONTROLS, resolve
from pytest_unlearn.models.predict import Output
from pytest_unlearn.models.query import Query
from pytest_unlearn.statistics import BandMeasure


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
        reasons=(*reasons, *identity_notes(model, case.original, case.references, case.models)),
        advice=then,
        provenance=provenance(
            model,
            (case.forget,),
            case.task,
            models=case.models,
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
    twin = twin_of(model, None, case.references, case.models)
    if twin and len(case.references) == 1:
        raise ValueError(ONLY_ITSELF)
    found = {"this model": case.models.of(model).ask(query, case.forget, case.output)}
    if case.original is not None:
        found["original"] = case.models.of(case.original).ask(query, case.forget, case.output)
    for number, reference in enumerate(case.references):
        if twin != f"retrained {number}":
            found[f"retrained {number}"] = case.models.of(reference).ask(query, case.forget, case.output)
    return found


def hold_controls(curves: dict[str, FloatArray], case: Case, highest: float, confidence: float) -> Controls:
    """The original must differ from retrained models with certainty, each reference must not from the others."""
    references = retrained_curves(curves)
    original = None
    if "original" in curves:
        original = _control(
            "original", measure_areas(curves["original"], references, case), highest, confidence, 1, True
        )
    rows = [
        _control(
            f"retrained {k}",
            measure_areas(curve, references[:k] + references[k + 1 :], case),
            highest,
            confidence,
            len(references),
            False,
        )
        for k, curve in enumerate(references if len(references) > 2 else ())
    ]
    return Controls(original=original, retrained=tuple(rows))


def _control(
    name: str, measures: Mapping[str, BandMeasure], highest: float, confidence: float, among: int, differs: bool
) -> ControlResult:
    """A control that holds if it `differs` from retrained models with certainty, or if it does not."""
    beyond = beyond_limits(measures, highest, (1 - confidence) / among)
    estimates = {one: measure.at(confidence) for one, measure in measures.items()}
    worst = max(estimates, key=lambda one: excess(estimates[one], highest))
    if differs:  # what it is beyond the limit by its nearer bound, not by its farther one
        worst = max(estimates, key=lambda one: max(-highest - estimates[one].high, estimates[one].low - highest))
    says = "relearns at another speed than" if beyond else "cannot be told with certainty from"
    return ControlResult(
        name=name,
        holds=bool(beyond) is differs,
        attack=worst,
        estimate=estimates[worst],
        says=f"{name} {says} retrained models",
    )


def rule(
    measures: Mapping[str, BandMeasure], worst: str, controls: Controls, highest: float, confidence: float, strict: bool
) -> tuple[Verdict, str, tuple[str, ...], tuple[str, ...]]:
    """INVALID, then FAIL, then INCONCLUSIVE, then PASS."""
    failed = [control for control in controls.retrained if not control.holds]
    if failed:
        return Verdict.INVALID, "", (f"the negative control fails: {failed[0].says}",), (advice.UNLIKE_REFERENCES,)
    ratios = tuple(
        f"the {name} while relearning is {math.exp(measure.distance):.3g} times that of retrained models"
        for name, measure in measures.items()
    )
    beyond = beyond_limits(measures, highest, 1 - confidence)
    if beyond:
        fast = next((side == "low" for name, side in beyond if name == worst), beyond[0][1] == "low")
        label, kind = ("relearns fast", "recognisable") if fast else ("relearns slowly", "over-forgotten")
        return Verdict.FAIL, label, ratios, (advice.LEAK[kind],)
    doubts: list[str] = []
    todo: list[str] = []
    if excess(measures[worst].at(confidence), highest) > 0:
        doubts.append(f"the {worst}, give or take what one more retrained model varies, reaches beyond the limit")
        todo += advice.TRIAL_UNSETTLED
    if controls.original is not None and not controls.original.holds:
        doubts.append(f"no power: {controls.original.says}")
        todo.append("train copies for fewer steps or at a smaller learning rate, or do without this claim")
    if strict and controls.original is None:
        doubts.append("no positive control: there is no original model")
        todo.append(advice.NO_ORIGINAL)
    if strict and len(controls.retrained) < 3:
        doubts.append("no negative control: at least three references are needed, of which two judge the third")
        todo.append(advice.NO_REFERENCES)
    if doubts:
        return Verdict.INCONCLUSIVE, "", (*doubts, *ratios), tuple(todo)
    return Verdict.PASS, "", ratios, ()
