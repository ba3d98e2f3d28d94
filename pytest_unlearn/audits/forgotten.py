"""audit_forgotten: is the forget set still recognisable in this model, and is the answer itself trustworthy?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pytest_unlearn.attacks.signals import correctness
from pytest_unlearn.audits import advice
from pytest_unlearn.audits.blind import blind_baseline
from pytest_unlearn.audits.case import Case, open_case
from pytest_unlearn.audits.controls import (
    controls_look_trained,
    distinct,
    negative_controls,
    positive_control,
    same_answers,
)
from pytest_unlearn.audits.examination import Finding, Judgement, examine, is_coarse, judge
from pytest_unlearn.audits.provenance import outputs_digest, provenance
from pytest_unlearn.evidence import Answers, Claim, ControlResult, Controls, Evidence, Exposure, Verdict
from pytest_unlearn.outputs import Output
from pytest_unlearn.settings import CONFIDENCE, MAX_MIA_AUC, REQUIRE_CONTROLS, resolve
from pytest_unlearn.statistics import can_certify, placements

MOST_EXPOSED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ruling:
    """The verdict once controls are taken into account, with what led to it."""

    verdict: Verdict
    reasons: tuple[str, ...]
    advice: tuple[str, ...]


def audit_forgotten(
    model: Any,
    forget: Any,
    max_mia_auc: float = MAX_MIA_AUC,
    *,
    nonmembers: Any = None,
    baseline: Any = None,
    references: Sequence[Any] | None = None,
    require_controls: bool = REQUIRE_CONTROLS,
    confidence: float = CONFIDENCE,
    match: str | None = "inherit",
    output: Output = None,
) -> Evidence:
    """Is the forget set still recognisable in this model?

    Args:
        model: the unlearned model: an `nn.Module`, a fitted scikit-learn classifier, a callable `x -> logits`, or
            `SavedOutputs`.
        forget: the forget view of an `UnlearningTask` or its loader; or a bare DataLoader or dataset together with
            `nonmembers=` and `baseline=`.
        max_mia_auc: the largest membership-inference AUC that is tolerated, between 0.5 and 1; 1 - max_mia_auc is the
            smallest, since conspicuously bad behaviour on the forget set is a leak too. Perfect unlearning gives 0.5.
        nonmembers: examples no model was trained on, in place of the task's controls.
        baseline: the original model, in place of the task's.
        references: models retrained without the forget set, in place of the task's.
        require_controls: whether a missing control makes the verdict INCONCLUSIVE at best.
        confidence: of every one-sided bound.
        match: "class" compares within classes, None across; the split's own rule by default.
        output: which entry of a dict or tuple output holds the logits.

    Returns:
        Evidence with verdict PASS, FAIL, INCONCLUSIVE or INVALID. A leak is never an exception.

    Raises:
        ValueError: input that cannot be audited (see `Split`, `evaluate`), or a bare loader without its counterparts.
    """
    limit = resolve("max_mia_auc", max_mia_auc)
    level = resolve("confidence", confidence)
    strict = resolve("require_controls", require_controls)
    case = open_case(
        forget,
        nonmembers=nonmembers,
        baseline=baseline,
        references=references,
        match=match,
        output=output,
        require_controls=strict.value,
    )
    target = case.answers(model)
    known = distinct([case.known_answers(reference) for reference in case.references])
    others = [answers for answers in known if not same_answers(answers, target)]
    certifiable = can_certify(
        limit.value,
        level.value,
        len(case.forget),
        len(case.controls),
        forget_strata=case.pairing.forget_strata,
        control_strata=case.pairing.control_strata,
        forget_groups=case.pairing.forget_groups,
    )
    findings = examine(target, others, case.pairing, level.value)
    judgement = judge(findings, limit.value, level.value, certifiable)
    controls = _run_controls(case, known, findings, limit.value, level.value)
    ruling = _rule(case, target, known, judgement, controls, limit.value, strict.value)
    needed = None
    if ruling.verdict is Verdict.INCONCLUSIVE and judgement.verdict is Verdict.INCONCLUSIVE:
        needed = advice.needed_examples(judgement.finding.estimate, 1 - limit.value, limit.value)
        ruling = replace(
            ruling, advice=(*ruling.advice, *advice.too_few(judgement.finding.estimate, limit.value, needed))
        )
    return Evidence(
        claim=Claim(
            name="forgotten",
            quantity="membership AUC",
            lowest=round(1 - limit.value, 12),
            highest=limit.value,
            sources={"max_mia_auc": limit.source, "confidence": level.source, "require_controls": strict.source},
        ),
        verdict=ruling.verdict,
        estimate=judgement.finding.estimate,
        decided_by=judgement.finding.attack.name,
        label=judgement.label if ruling.verdict is Verdict.FAIL else "",
        attacks={finding.attack.name: finding.estimate for finding in findings},
        deciding=tuple(finding.attack.name for finding in findings if finding.deciding),
        controls=controls,
        reasons=ruling.reasons,
        advice=ruling.advice,
        needed=needed,
        most_exposed=_most_exposed(case, judgement if judgement.verdict is Verdict.FAIL else None, findings[0]),
        provenance=provenance(
            model,
            (case.forget, case.controls),
            case.task,
            require_controls=strict.value,
            match="class" if case.pairing.forget_strata is not None else None,
            calibrated=bool(known),
            outputs=outputs_digest(target),
            references=len(known),
        ),
    )


def _run_controls(
    case: Case, known: list[Answers], findings: Sequence[Finding], limit: float, confidence: float
) -> Controls:
    original = None
    if case.original is not None:
        answers = case.known_answers(case.original)
        coarse = is_coarse(findings)
        original = positive_control(answers, known, case.pairing, limit, confidence, coarse=coarse)
    retrained = negative_controls(known, case.pairing, limit, confidence) if len(known) > 1 else ()
    return Controls(original=original, retrained=retrained, blind=None if known else _blind(case, limit, confidence))


def _blind(case: Case, limit: float, confidence: float) -> ControlResult:
    estimate = blind_baseline(case).at(confidence)
    holds = estimate.low <= limit
    tells = "does not tell" if holds else "tells"
    return ControlResult(
        name="blind baseline",
        holds=holds,
        attack="blind classifier",
        estimate=estimate,
        says=f"a classifier that never saw a model {tells} the forget set from the controls "
        f"(AUC {estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}])",
    )


def _rule(
    case: Case,
    target: Answers,
    known: list[Answers],
    judgement: Judgement,
    controls: Controls,
    limit: float,
    strict: bool,
) -> _Ruling:
    """INVALID, then FAIL, then INCONCLUSIVE, then PASS."""
    notes = _notes(case, known, strict)
    invalid, what_then = _invalid(case, known, judgement, controls, limit)
    if invalid:
        return _Ruling(verdict=Verdict.INVALID, reasons=(*invalid, *notes), advice=what_then)
    if judgement.verdict is Verdict.FAIL:
        says = f"{judgement.label}: {judgement.reason}"
        return _Ruling(verdict=Verdict.FAIL, reasons=(says, *notes), advice=(advice.LEAK[judgement.label],))
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
    if doubts:
        return _Ruling(verdict=Verdict.INCONCLUSIVE, reasons=(*doubts, *notes), advice=tuple(todo))
    trained_on = controls_look_trained(target, known, judgement.finding.estimate.confidence) if known else ""
    if trained_on:
        return _Ruling(verdict=Verdict.INVALID, reasons=(trained_on, *notes), advice=(advice.CONTROLS_TRAINED,))
    return _Ruling(verdict=Verdict.PASS, reasons=notes, advice=())


def _invalid(
    case: Case, known: list[Answers], judgement: Judgement, controls: Controls, limit: float
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if judgement.verdict is Verdict.INVALID:
        return (judgement.reason,), (advice.SCORES_INVALID,)
    failed = [control for control in controls.retrained if not control.holds]
    if failed:
        worst = max(failed, key=lambda control: abs(control.estimate.value - 0.5))
        blind = _blind(case, limit, judgement.finding.estimate.confidence)
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


def _most_exposed(case: Case, failure: Judgement | None, usual: Finding) -> tuple[Exposure, ...]:
    """The forget examples that stand out most under the attack that failed, else under the first deciding one."""
    finding = failure.finding if failure else usual
    below = np.zeros(len(case.forget))
    for label in np.unique(case.forget.labels) if case.pairing.forget_strata is not None else [None]:
        ours = slice(None) if label is None else case.forget.labels == label
        theirs = slice(None) if label is None else case.controls.labels == label
        below[ours] = placements(finding.scores.forget[ours], finding.scores.controls[theirs])[0]
    strangeness = 1 - below if failure and finding.estimate.value < 0.5 else below
    order = np.argsort(-strangeness, kind="stable")[:MOST_EXPOSED]
    return tuple(Exposure(index=int(case.forget.indices[i]), percentile=float(below[i])) for i in order)
