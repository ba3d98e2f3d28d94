"""A claim that attacks decide: run them on the model, the original and every reference in turn, and decide.

`original` must be recognised by the claim's own attacks, references must not, and what the model answers on controls
must be what a model answers that did not train on them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pytest_unlearn.attacks.registry import Attack
from pytest_unlearn.attacks.signals import correctness
from pytest_unlearn.claims.common import advice
from pytest_unlearn.claims.common.blind_baseline import blind_control
from pytest_unlearn.claims.common.controls import (
    controls_look_trained,
    distinct,
    negative_control,
    positive_control,
    same_answers,
    uncorrelated_with_references,
    without,
)
from pytest_unlearn.claims.common.evidence import auc_claim, build_evidence, rounded
from pytest_unlearn.claims.common.findings import AttackFinding, judge_attacks, run_attacks
from pytest_unlearn.claims.common.inputs import Case
from pytest_unlearn.claims.common.provenance import ONLY_ITSELF, identity_notes, outputs_digest, provenance
from pytest_unlearn.claims.common.verdict import (
    Decision,
    Judgement,
    Objection,
    controls_waived,
    decide,
    doubt,
    invalid,
    missing_power,
)
from pytest_unlearn.core.evidence import Answers, ControlResult, Controls, Evidence, Exposure, Verdict
from pytest_unlearn.core.figures import Cell, Exhibit
from pytest_unlearn.core.settings import Setting

Run = Callable[[Answers, Sequence[Answers]], tuple[AttackFinding, ...]]
Power = Callable[[Answers, Sequence[Answers], Sequence[AttackFinding]], ControlResult]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackAudit:
    """What the claim's attacks found in the model, what the controls made of it, and the decision.

    `references` are the retrained models' answers without repetitions, `others` those that are not the model's own;
    `rotations` are the findings on each reference, judged by the rest.
    """

    model: Any
    case: Case
    target: Answers
    original: Answers | None
    references: tuple[Answers, ...]
    others: tuple[Answers, ...]
    findings: tuple[AttackFinding, ...]
    rotations: tuple[tuple[AttackFinding, ...], ...]
    judgement: Judgement[AttackFinding]
    controls: Controls
    decision: Decision
    limit: Setting
    confidence: Setting
    require_controls: Setting


def audit_with_attacks(
    model: Any,
    case: Case,
    run: Run,
    *,
    limit: Setting,
    confidence: Setting,
    require_controls: Setting,
    power: Power | None = None,
    fewest_references: int = 2,
    certifiable: bool = True,
    corrected: bool = False,
    counted: bool = False,
) -> AttackAudit:
    """Run the attacks on the model, on the original and on each reference in turn, and decide.

    Args:
        model: the audited model.
        case: what it is compared with; models are asked what its attacks ask.
        run: the attacks on one model's answers, calibrated by other models'.
        limit: the largest AUC; 1 - limit is the smallest.
        confidence: of every bound.
        require_controls: whether a missing control withholds PASS.
        power: the positive control, of the original's answers, the references' and the findings on the model; by
            default the attacks on the original.
        fewest_references: how many it takes for each to be judged by the others.
        certifiable: whether so many examples can show at all that an AUC is within the limits.
        corrected: whether negative controls pay for how many there are.
        counted: whether it can be said how many examples would settle a finding that reaches beyond the limits.

    Raises:
        ValueError: a model that cannot be asked what the attacks ask.
    """
    original = case.answers(case.original) if case.original is not None else None
    target = replace(case.answers(model), original=original)
    references = distinct([replace(case.answers(one), original=original) for one in case.references])
    others = [answers for answers in references if not same_answers(answers, target)]
    findings = run(target, others)
    judgement = judge_attacks(findings, limit.value, confidence.value, certifiable)
    judged = len(references) >= fewest_references
    rotations = tuple(run(one, without(references, k)) for k, one in enumerate(references)) if judged else ()
    level = 1 - (1 - confidence.value) / max(1, len(rotations)) if corrected else confidence.value
    power = power or (lambda original, references, _: positive_control(run(original, references), limit.value))
    controls = Controls(
        original=None if original is None else power(original, references, findings),
        retrained=tuple(
            negative_control(k, judge_attacks(found, limit.value, level)) for k, found in enumerate(rotations)
        ),
        blind=None if references else blind_control(case, limit.value, confidence.value),
    )
    needed = judgement.needed if counted else None
    settles = advice.too_few(judgement.finding.estimate, limit.value, needed) if counted else advice.TRIAL_UNSETTLED
    few = []
    if require_controls.value and 2 <= len(references) < fewest_references:
        few = [
            doubt(
                f"no negative control: {len(references)} distinct references, and it takes {fewest_references} to "
                "judge each by the others",
                f"give at least {fewest_references} references, so that each can be judged by the others",
            )
        ]
    decision = decide(
        judgement,
        vetoes=_vetoes(case, references, controls, limit.value, confidence.value),
        before=[replace(one, advice=()) for one in few],
        doubts=[
            *missing_power(controls, require_controls.value),
            *_missing_references(references, require_controls.value),
            *_unlike_references(case, target, references, confidence.value),
            *(replace(one, reasons=()) for one in few),
            *([Objection((), tuple(settles))] if judgement.verdict is Verdict.INCONCLUSIVE else []),
        ],
        notes=(
            *_notes(case, references, require_controls.value),
            *identity_notes(model, case.original, case.references, case.models),
        ),
        needed=needed,
    )
    return AttackAudit(
        model=model,
        case=case,
        target=target,
        original=original,
        references=tuple(references),
        others=tuple(others),
        findings=findings,
        rotations=rotations,
        judgement=judgement,
        controls=controls,
        decision=decision,
        limit=limit,
        confidence=confidence,
        require_controls=require_controls,
    )


def run_chosen(
    deciding: Sequence[Attack], tripwires: Sequence[Attack], case: Case, confidence: float
) -> tuple[Case, Run, int]:
    """Return the case that asks what these attacks ask, how to run them, and the references that controls take.

    Tripwires that lack references or examples are left out; without any reference nothing can be run.
    """
    case = case.for_attacks((*deciding, *tripwires))
    fewest = min(len(case.forget), len(case.controls))

    def run(target: Answers, among: Sequence[Answers]) -> tuple[AttackFinding, ...]:
        if not among:
            raise ValueError(ONLY_ITSELF)
        able = [a for a in tripwires if len(among) >= a.least_references and fewest >= a.least_examples]
        return run_attacks(deciding, able, target, among, case.pairing, confidence)

    return case, run, 1 + max(attack.least_references for attack in deciding)


def attack_evidence(
    audit: AttackAudit,
    *,
    name: str,
    quantity: str,
    figures: Sequence[Exhibit],
    own_original: bool = True,
    own_references: bool = True,
    most_exposed: tuple[Exposure, ...] = (),
    **settings: Any,
) -> Evidence:
    """Build the evidence of an audit, under the claim's name.

    `own_original` and `own_references` say whether these are the task's; `settings` are recorded besides.
    """
    case = audit.case
    return build_evidence(
        auc_claim(name, quantity, audit.limit, audit.confidence, audit.require_controls),
        audit.decision,
        audit.findings,
        controls=audit.controls,
        provenance=provenance(
            audit.model,
            (case.forget, case.controls),
            case.task,
            models=case.models,
            original=own_original and case.original is not None,
            retrained=own_references and bool(case.references),
            require_controls=audit.require_controls.value,
            match="class" if case.pairing.forget_strata is not None else None,
            outputs=outputs_digest(audit.target),
            references=len(audit.references),
            **settings,
        ),
        figures=figures,
        most_exposed=most_exposed,
    )


def finding_rows(findings: Sequence[AttackFinding]) -> tuple[tuple[Cell, ...], ...]:
    """Return each finding's name, role and bounds, as rows of a table."""
    return tuple((finding.name, finding.role, *rounded(finding.estimate)) for finding in findings)


def _vetoes(
    case: Case, references: Sequence[Answers], controls: Controls, limit: float, confidence: float
) -> list[Objection]:
    """Return why forget set and controls differ for models that saw neither, or without any model."""
    failed = [control for control in controls.retrained if not control.holds]
    if failed:
        worst = max(failed, key=lambda control: abs(control.estimate.value - 0.5))
        blind = blind_control(case, limit, confidence)
        right = [np.mean([correctness(getattr(a, side)).mean() for a in references]) for side in ("forget", "controls")]
        differ = f"references are right on {right[0]:.1%} of the forget set and on {right[1]:.1%} of the controls"
        reasons = (f"the negative control fails: {worst.says}", blind.says, differ)
        return [Objection(reasons, (advice.CONTROLS_DIFFER,), Verdict.INVALID)]
    if controls.blind is not None and not controls.blind.holds:
        return [invalid(controls.blind.says, advice.CONTROLS_DIFFER, advice.NO_REFERENCES)]
    return []


def _missing_references(references: Sequence[Answers], require_controls: bool) -> list[Objection]:
    if not require_controls or len(references) > 1:
        return []
    says = f"no negative control: {len(references)} distinct references, at least two are needed"
    return [doubt(says, advice.NO_REFERENCES)]


def _unlike_references(
    case: Case, target: Answers, references: Sequence[Answers], confidence: float
) -> list[Objection]:
    """Return why the model's answers on the controls are not those of a model that saw none of them."""
    found = []
    comparable = references or ([target.original] if target.original is not None else [])
    uncorrelated = uncorrelated_with_references(target, comparable)
    if uncorrelated:
        found.append(doubt(uncorrelated, advice.OUT_OF_ORDER))
    bootstrapped = case.task is not None and case.task.bootstrapped
    trained, sure = "", False
    if references:
        trained, sure = controls_look_trained(target, references, confidence, bootstrapped=bootstrapped)
    if trained:
        found.append(invalid(trained, advice.CONTROLS_TRAINED) if sure else doubt(trained, advice.CONTROLS_TRAINED))
    return found


def _notes(case: Case, references: Sequence[Answers], require_controls: bool) -> tuple[str, ...]:
    notes = []
    if not references:
        notes.append(
            "uncalibrated: no references, so examples are not compared with what a retrained model makes of them"
        )
    if len(references) < len(case.references):
        notes.append(
            f"{len(case.references)} references give only {len(references)} different models; equal ones count once"
        )
    if case.task is not None and case.task.bootstrapped and references:
        notes.append(
            "the recipe gives the same model for every seed, so references are trained on bootstraps of retain"
        )
    return (*notes, *controls_waived(require_controls))
