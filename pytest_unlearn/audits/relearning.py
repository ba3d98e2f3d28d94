"""audit_not_relearnable: does the model learn the forget set again no faster, and no slower, than retrained ones?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from pytest_unlearn.audits import advice
from pytest_unlearn.audits.case import Case
from pytest_unlearn.audits.features import open_task_case
from pytest_unlearn.audits.identity import ONLY_ITSELF, identity_notes, twin_of
from pytest_unlearn.audits.provenance import provenance
from pytest_unlearn.evidence import Claim, ControlResult, Controls, Estimate, Evidence, FloatArray, Verdict
from pytest_unlearn.exhibits import Cell, Curves, Table
from pytest_unlearn.outputs import Output
from pytest_unlearn.queries.asking import ask
from pytest_unlearn.queries.relearning import Relearning
from pytest_unlearn.query import Query
from pytest_unlearn.settings import CONFIDENCE, MAX_RELEARNING, REQUIRE_CONTROLS, resolve
from pytest_unlearn.statistics import BandMeasure, band, holm, p_value

NEAR_ENOUGH = 0.05  # AIN counts the steps until accuracy is within this of the original's
LEAST_SPREAD = 0.01  # of the logarithm of an area: loops differ by as much in their last digits


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

    Copies of the model are trained on the forget set for a few steps; the area under their loss is compared with that
    of the retrained references, as a ratio, on both sides: a smaller area is left-over knowledge, a larger one
    conspicuous damage.

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
    measure = _measured(curves["this model"], _retrained(curves), case)
    estimate = measure.at(level.value)
    controls = _controls(curves, case, highest, level.value)
    verdict, label, reasons, then = _rule(measure, estimate, controls, highest, level.value, strict.value)
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
        estimate=estimate,
        decided_by="relearning area",
        label=label,
        attacks={"relearning area": estimate},
        deciding=("relearning area",),
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
            references=len(_retrained(curves)),
        ),
        exhibits=(_plot(curves, query), _ain(curves, query)),
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


def _retrained(curves: dict[str, FloatArray]) -> list[FloatArray]:
    return [curve for name, curve in curves.items() if name.startswith("retrained")]


def log_area(curve: FloatArray) -> float:
    """The mean over seeds of the logarithm of the mean loss over examples and looks."""
    return float(np.log(np.maximum(curve[..., 0].mean(axis=(0, 2)), np.finfo(np.float64).tiny)).mean())


def _measured(curve: FloatArray, references: Sequence[FloatArray], case: Case) -> BandMeasure:
    return band(
        log_area(curve), [log_area(one) for one in references], n_forget=len(case.forget), least_spread=LEAST_SPREAD
    )


def _p_values(measure: BandMeasure, highest: float) -> FloatArray:
    return holm(np.array([p_value(measure, -highest, "low"), p_value(measure, highest, "high")]))


def _controls(curves: dict[str, FloatArray], case: Case, highest: float, confidence: float) -> Controls:
    references = _retrained(curves)
    original = None
    if "original" in curves:
        measure = _measured(curves["original"], references, case)
        estimate = measure.at(confidence)
        holds = estimate.high < -highest or estimate.low > highest
        says = "relearns at another speed than" if holds else "cannot be told with certainty from"
        original = ControlResult(
            name="original",
            holds=holds,
            attack="relearning area",
            estimate=estimate,
            says=f"the original model {says} retrained models",
        )
    rows = []
    for k, curve in enumerate(references) if len(references) > 2 else ():
        measure = _measured(curve, references[:k] + references[k + 1 :], case)
        wrong = bool((_p_values(measure, highest) <= (1 - confidence) / len(references)).any())
        rows.append(
            ControlResult(
                name=f"retrained {k}",
                holds=not wrong,
                attack="relearning area",
                estimate=measure.at(confidence),
                says=f"retrained {k} relearns {'at another speed than' if wrong else 'like'} the others",
            )
        )
    return Controls(original=original, retrained=tuple(rows))


def _rule(
    measure: BandMeasure, estimate: Estimate, controls: Controls, highest: float, confidence: float, strict: bool
) -> tuple[Verdict, str, tuple[str, ...], tuple[str, ...]]:
    """INVALID, then FAIL, then INCONCLUSIVE, then PASS."""
    failed = [control for control in controls.retrained if not control.holds]
    if failed:
        return Verdict.INVALID, "", (f"the negative control fails: {failed[0].says}",), (advice.UNLIKE_REFERENCES,)
    ratio = f"the area under its relearning curve is {math.exp(measure.distance):.2f} times that of retrained models"
    low, high = (p <= 1 - confidence for p in _p_values(measure, highest))
    if low:
        return Verdict.FAIL, "relearns fast", (ratio,), (advice.LEAK["recognisable"],)
    if high:
        return Verdict.FAIL, "relearns slowly", (ratio,), (advice.LEAK["over-forgotten"],)
    doubts: list[str] = []
    todo: list[str] = []
    if estimate.low < -highest or estimate.high > highest:
        doubts.append("the band of retrained models reaches beyond the limit, so that being within it shows nothing")
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
        return Verdict.INCONCLUSIVE, "", (*doubts, ratio), tuple(todo)
    return Verdict.PASS, "", (ratio,), ()


def _plot(curves: dict[str, FloatArray], query: Query) -> Curves:
    steps = tuple(float(step) for step in query.ask.looks)  # type: ignore[attr-defined]
    losses = {name: curve[..., 0].mean(axis=(0, 1)) for name, curve in curves.items()}
    shown = {name: loss for name, loss in losses.items() if not name.startswith("retrained")}
    retrained = [loss for name, loss in losses.items() if name.startswith("retrained")]
    shown |= {"highest retrained": np.max(retrained, axis=0), "lowest retrained": np.min(retrained, axis=0)}
    return Curves(
        title="Relearning",
        says="Loss on the forget set while a copy of each model is trained on it: "
        + ", ".join(f"{name} from {loss[0]:.2f} to {loss[-1]:.2f}" for name, loss in shown.items())
        + ". Under perfect unlearning the model's curve lies among those of retrained ones.",
        x_label="steps",
        y_label="loss",
        series={name: (steps, tuple(round(float(v), 5) for v in loss)) for name, loss in shown.items()},
    )


def _ain(curves: dict[str, FloatArray], query: Query) -> Table:
    """Steps until near the original's accuracy; where there is no original, near certainty."""
    looks = query.ask.looks  # type: ignore[attr-defined]
    goal = 1.0
    if "original" in curves:
        goal = float(curves["original"][:, :, 0, 1].mean())
    goal -= NEAR_ENOUGH

    def steps(curve: FloatArray) -> float | None:
        reached = np.flatnonzero(curve[..., 1].mean(axis=(0, 1)) >= goal)
        return float(looks[reached[0]]) if len(reached) else None

    usual = [found for curve in _retrained(curves) if (found := steps(curve)) is not None]
    mean = float(np.mean(usual)) if usual else None
    rows: list[tuple[Cell, ...]] = []
    for name, curve in curves.items():
        needed = steps(curve)
        ain = round(needed / mean, 3) if needed is not None and mean else None
        rows.append((name, round(math.exp(log_area(curve)), 4), needed, ain))
    return Table(
        title="Anamnesis index",
        says=f"Steps until a copy is right on {goal:.1%} of the forget set (within {NEAR_ENOUGH:.0%} of the original's "
        "accuracy) over the retrained models' mean: 1 under perfect unlearning, nearer 0 for left-over knowledge. "
        "Empty: not reached. No verdict depends on it.",
        columns=("model", "mean loss while relearning", "steps", "AIN"),
        rows=tuple(rows),
    )
