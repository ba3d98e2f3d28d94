"""From one model's findings to the verdict: what the audit's controls and its calibration add to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pytest_unlearn.attacks.signals import correctness
from pytest_unlearn.claims.common import advice
from pytest_unlearn.claims.common.blind_baseline import blind_control
from pytest_unlearn.claims.common.controls import controls_look_trained, does_not_follow
from pytest_unlearn.claims.common.findings import Judgement
from pytest_unlearn.claims.common.inputs import Case
from pytest_unlearn.core.evidence import Answers, Controls, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """The verdict once controls are taken into account, with what led to it."""

    verdict: Verdict
    reasons: tuple[str, ...]
    advice: tuple[str, ...]


def rule(
    case: Case,
    target: Answers,
    known: list[Answers],
    original: Answers | None,
    judgement: Judgement,
    controls: Controls,
    limit: float,
    strict: bool,
) -> Ruling:
    """INVALID, then FAIL, then INCONCLUSIVE, then PASS."""
    notes = _notes(case, known, strict)
    invalid, what_then = _invalid(case, known, judgement, controls, limit)
    if invalid:
        return Ruling(verdict=Verdict.INVALID, reasons=(*invalid, *notes), advice=what_then)
    if judgement.verdict is Verdict.FAIL:
        says = f"{judgement.label}: {judgement.reason}"
        return Ruling(verdict=Verdict.FAIL, reasons=(says, *notes), advice=(advice.LEAK[judgement.label],))
    confidence = judgement.finding.estimate.confidence
    weaker = case.task is not None and case.task.bootstrapped
    trained_on, sure = controls_look_trained(target, known, confidence, weaker=weaker) if known else ("", False)
    if trained_on and sure:
        return Ruling(verdict=Verdict.INVALID, reasons=(trained_on, *notes), advice=(advice.CONTROLS_TRAINED,))
    doubts: list[str] = [judgement.reason] if judgement.verdict is Verdict.INCONCLUSIVE else []
    todo: list[str] = []
    if controls.original is not None and not controls.original.holds:
        doubts.append(f"no power: {controls.original.says}")
        todo += advice.NO_POWER
    if strict and controls.original is None:
        doubts.append("no positive control: there is no original model")
        todo.append(advice.NO_ORIGINAL)
    if strict and len(known) < 2:
        doubts.append(f"no negative control: {len(known)} distinct references, at least two are needed")
        todo.append(advice.NO_REFERENCES)
    comparable = known or ([original] if original is not None else [])
    astray = does_not_follow(target, comparable)
    if astray:
        doubts.append(astray)
        todo.append(advice.OUT_OF_ORDER)
    if trained_on:
        doubts.append(trained_on)
        todo.append(advice.CONTROLS_TRAINED)
    if doubts:
        return Ruling(verdict=Verdict.INCONCLUSIVE, reasons=(*doubts, *notes), advice=tuple(todo))
    return Ruling(verdict=Verdict.PASS, reasons=notes, advice=())


def _invalid(
    case: Case, known: list[Answers], judgement: Judgement, controls: Controls, limit: float
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if judgement.verdict is Verdict.INVALID:
        return (judgement.reason,), (advice.SCORES_INVALID,)
    failed = [control for control in controls.retrained if not control.holds]
    if failed:
        worst = max(failed, key=lambda control: abs(control.estimate.value - 0.5))
        blind = blind_control(case, limit, judgement.finding.estimate.confidence)
        right = [np.mean([correctness(getattr(a, side)).mean() for a in known]) for side in ("forget", "controls")]
        differ = f"references are right on {right[0]:.1%} of the forget set and on {right[1]:.1%} of the controls"
        return (f"the negative control fails: {worst.says}", blind.says, differ), (advice.CONTROLS_DIFFER,)
    if controls.blind is not None and not controls.blind.holds:
        return (controls.blind.says,), (advice.CONTROLS_DIFFER, advice.NO_REFERENCES)
    return (), ()


def _notes(case: Case, known: list[Answers], strict: bool) -> tuple[str, ...]:
    notes = []
    if not known:
        notes.append(
            "uncalibrated: no references, so examples are not compared with what a retrained model makes of them"
        )
    if len(known) < len(case.references):
        notes.append(
            f"{len(case.references)} references give only {len(known)} different models; equal ones count once"
        )
    if case.task is not None and case.task.bootstrapped and known:
        notes.append(
            "the recipe gives the same model for every seed, so references are trained on bootstraps of retain"
        )
    if not strict:
        notes.append("require_controls=False: missing controls were accepted by the caller")
    return tuple(notes)
