"""What relearning curves say of a model, and of the controls."""

from __future__ import annotations

import math
from collections.abc import Mapping

from pytest_unlearn.audits import advice
from pytest_unlearn.audits.case import Case
from pytest_unlearn.audits.relearning_areas import beyond_limits, excess, measure_areas, retrained_curves
from pytest_unlearn.evidence import ControlResult, Controls, FloatArray, Verdict
from pytest_unlearn.statistics import BandMeasure


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
