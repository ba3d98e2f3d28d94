"""Audit by attacks: on the model, the original and each reference in turn.

`original` must be recognised by the claim's own attacks, references must not, and what the model answers on controls
must be what a model answers that did not train on them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from pytest_unlearn.attacks.registry import Attack, Pairing
from pytest_unlearn.attacks.signals import correctness
from pytest_unlearn.claims.common import advice
from pytest_unlearn.claims.common.alignment import misaligned
from pytest_unlearn.claims.common.blind_baseline import blind_control
from pytest_unlearn.claims.common.controls import (
    CHANCE,
    LARGE_REQUEST,
    controls_look_trained,
    distinct,
    family_confidence,
    negative_control,
    noisier_than_references,
    power_check,
    same_answers,
    uncorrelated_with_references,
    without,
)
from pytest_unlearn.claims.common.evidence import AucTerms, build_evidence, rounded
from pytest_unlearn.claims.common.findings import AttackFinding, judge_attacks, run_attacks
from pytest_unlearn.claims.common.inputs import AuditInputs
from pytest_unlearn.claims.common.provenance import ONLY_ITSELF, identity_notes, outputs_digest, provenance
from pytest_unlearn.claims.common.verdict import (
    Decision,
    Objection,
    controls_waived,
    decide,
    doubt,
    invalid,
    missing_controls,
)
from pytest_unlearn.core.evidence import Answers, Controls, Estimate, Evidence, Exposure, Verdict
from pytest_unlearn.core.figures import Cell, Figure
from pytest_unlearn.statistics import normal_quantile, null_precision

Run = Callable[[Answers, Sequence[Answers]], tuple[AttackFinding, ...]]
Judge = Callable[..., Decision[AttackFinding]]
OnOriginal = Callable[[Answers, Sequence[Answers], Sequence[AttackFinding]], tuple[Sequence[AttackFinding], str]]


FORGET_SET = "the forget set is"
NOT_ENOUGH_GONE = ("unlearn longer or differently, or retrain, if more of it should be gone than the estimate says",)


@dataclass(frozen=True, slots=True)
class AttackAudit:
    """Findings of a claim's attacks, the state of its controls, the decision.

    `share_left` is that of the original's excess that is left, by the attack that bounds it least; `not_testable` says
    why the claim cannot be tested here, for a reason that lies in original and request alone. `references` are the
    retrained models' answers without repetitions, `others` those that are not the model's own;
    `rotations` are the findings on each reference, judged by the rest; `judged` is what `findings` say by themselves.
    """

    model: Any
    inputs: AuditInputs
    terms: AucTerms
    target: Answers
    original: Answers | None
    references: Sequence[Answers]
    others: Sequence[Answers]
    findings: Sequence[AttackFinding]
    rotations: Sequence[Sequence[AttackFinding]]
    controls: Controls
    judged: Decision[AttackFinding]
    decision: Decision[AttackFinding]
    share_left: Estimate | None
    not_testable: str


def audit_with_attacks(
    model: Any,
    inputs: AuditInputs,
    run: Run,
    terms: AucTerms,
    *,
    on_original: OnOriginal | None = None,
    fewest_references: int = 2,
    certifiable: bool = True,
    counted: bool = False,
    judge_by: Judge | None = None,
) -> AttackAudit:
    """Run the attacks on model, original and each reference, and decide.

    Args:
        model: the audited model.
        inputs: what it is compared with; models are asked what its attacks ask.
        run: the attacks on one model's answers, calibrated by other models'.
        terms: of the claim.
        on_original: what is found in the original, by its answers, the references' and the findings on the model, and
            what it is that is looked for; by default what the attacks find.
        fewest_references: how many it takes for each to be judged by the others.
        certifiable: as in `judge`.
        counted: as in `judge`.
        judge_by: judges one model's findings at a confidence; by the limit on AUCs by default.
    """
    judge_by = judge_by or partial(judge_attacks, limit=terms.limit)
    limit, confidence, require_controls = terms.limit, terms.confidence, terms.require_controls
    original = inputs.answers(inputs.original) if inputs.original is not None else None
    target = replace(inputs.answers(model), original=original)
    references = distinct([replace(inputs.answers(one), original=original) for one in inputs.references])
    others = [answers for answers in references if not same_answers(answers, target)]
    findings = run(target, others)
    judged = judge_by(findings, confidence=confidence, certifiable=certifiable, counted=counted)
    enough = len(references) >= fewest_references
    rotations = [run(one, without(references, k)) for k, one in enumerate(references)] if enough else []
    level = family_confidence(confidence, len(rotations))
    power = None
    labels = inputs.pairing.labels
    errors = _honest_errors(findings, rotations, null_precision(len(inputs.forget), len(inputs.controls), **labels)[0])
    check = partial(
        power_check,
        audited=findings,
        share_of=partial(_share, inputs.pairing, confidence),
        most=terms.max_share_left,
        limit=limit - CHANCE,
        errors=errors,
    )
    if original is not None:
        seen = replace(original, channel=target)  # power against finer answers would say nothing of these
        known, what = (
            (run(seen, references), FORGET_SET) if on_original is None else on_original(seen, references, findings)
        )
        power = check(known, what=what)
    controls = Controls(
        original=power.control if power is not None else None,
        retrained=tuple(negative_control(k, judge_by(found, confidence=level)) for k, found in enumerate(rotations)),
        blind=None if references else blind_control(inputs, limit, confidence),
    )
    settles: tuple[str, ...] = advice.TRIAL_UNSETTLED
    if counted:
        part = judged.finding.name if judged.finding.role == "bounded" else ""
        settles = tuple(advice.too_few(judged.finding.estimate, limit, judged.needed, part))
    count, few = len(references), require_controls and 2 <= len(references) < fewest_references
    no_negative = f"{count} distinct references, at least two are needed" if count < 2 else ""
    # Advice on the findings themselves comes last, a lack of references first.
    reason = f"no negative control: {count} distinct references, and it takes {fewest_references} to judge each by the "
    step = f"give at least {fewest_references} references, so that each can be judged by the others"
    unlike = _unlike_references(inputs, target, references, confidence)
    decision = decide(
        judged,
        vetoes=[
            *misaligned(model, target, references or ([original] if original is not None else [])),
            *_vetoes(inputs, references, controls, limit, confidence),
        ],
        before=[doubt(f"{reason}others")] if few else [],
        doubts=[
            *missing_controls(controls, require_controls, no_negative=no_negative),
            *(power.objections(*NOT_ENOUGH_GONE) if power is not None else []),
            *unlike,
            Objection((), (step,) if few else (), Verdict.PASS),
            Objection((), settles if judged.verdict is Verdict.INCONCLUSIVE else (), Verdict.PASS),
        ],
        notes=(
            *_notes(inputs, references, require_controls),
            *identity_notes(model, inputs.original, inputs.references, inputs.models),
        ),
    )
    not_testable = ""
    own = original is not None and same_answers(target, original)  # an original that comes back is no riddle
    if power is not None and original is not None and (enough or not require_controls) and not unlike and not own:
        # Only what the original does not show in full excuses: a coarse channel is the audited model's own doing.
        not_testable = power.not_testable and check(run(original, references)).not_testable
    return AttackAudit(
        model=model,
        inputs=inputs,
        terms=terms,
        target=target,
        original=original,
        references=references,
        others=others,
        findings=findings,
        rotations=rotations,
        controls=controls,
        judged=judged,
        decision=decision,
        share_left=power.share_left[1] if power is not None and power.share_left is not None else None,
        not_testable=not_testable,
    )


def _share(pairing: Pairing, confidence: float, audited: AttackFinding, original: AttackFinding) -> Estimate:
    return original.attack.share(audited.scores, original.scores, pairing).at(confidence)


def _honest_errors(
    findings: Sequence[AttackFinding], rotations: Sequence[Sequence[AttackFinding]], least: float
) -> dict[str, float]:
    """Return each finding's standard error in retrained models: the references', at least that of chance alone."""
    errors = {finding.name: least for finding in findings}
    for finding in (one for found in rotations for one in found if one.name in errors):
        estimate = finding.estimate
        half = (estimate.high - estimate.low) / (2 * normal_quantile(estimate.confidence))
        errors[finding.name] = max(errors[finding.name], half)
    return errors


def run_chosen(
    deciding: Sequence[Attack], tripwires: Sequence[Attack], inputs: AuditInputs, confidence: float
) -> tuple[AuditInputs, Run, int]:
    """Return inputs for the chosen attacks, their runner, and the references.

    Tripwires that lack references or examples are left out; without any reference nothing can be run.
    """
    inputs = inputs.for_attacks((*deciding, *tripwires))
    fewest = min(len(inputs.forget), len(inputs.controls))

    def run(target: Answers, among: Sequence[Answers]) -> tuple[AttackFinding, ...]:
        if not among:
            raise ValueError(ONLY_ITSELF)
        able = [a for a in tripwires if len(among) >= a.least_references and fewest >= a.least_examples]
        return run_attacks(deciding, able, target, among, inputs.pairing, confidence)

    return inputs, run, 1 + max(attack.least_references for attack in deciding)


def attack_evidence(
    audit: AttackAudit,
    *,
    name: str,
    quantity: str,
    figures: Sequence[Figure],
    own_original: bool = True,
    own_references: bool = True,
    most_exposed: tuple[Exposure, ...] = (),
    **settings: Any,
) -> Evidence:
    """Build the evidence of an audit, under the claim's name.

    `own_original` and `own_references` say whether these are the task's; `settings` are recorded besides.
    """
    inputs = audit.inputs
    return build_evidence(
        audit.terms.claim(name, quantity),
        audit.decision,
        audit.findings,
        controls=audit.controls,
        provenance=provenance(
            audit.model,
            (inputs.forget, inputs.controls),
            inputs.task,
            models=inputs.models,
            original=own_original and inputs.original is not None,
            retrained=own_references and bool(inputs.references),
            require_controls=audit.terms.require_controls,
            match="class" if inputs.pairing.forget_strata is not None else None,
            outputs=outputs_digest(audit.target),
            references=len(audit.references),
            max_share_left=audit.terms.max_share_left,
            **settings,
        ),
        figures=figures,
        most_exposed=most_exposed,
        share_left=audit.share_left,
        not_testable=audit.not_testable,
    )


def finding_rows(findings: Sequence[AttackFinding]) -> tuple[tuple[Cell, ...], ...]:
    """Return each finding's name, role and bounds, as rows of a table."""
    return tuple((finding.name, finding.role, *rounded(finding.estimate)) for finding in findings)


def _vetoes(
    inputs: AuditInputs, references: Sequence[Answers], controls: Controls, limit: float, confidence: float
) -> list[Objection]:
    """Return why forget set and controls differ even without the model."""
    failed = [control for control in controls.retrained if not control.holds]
    if failed:
        worst = max(failed, key=lambda control: abs(control.estimate.value - 0.5))
        blind = blind_control(inputs, limit, confidence)
        right = [np.mean([correctness(getattr(a, side)).mean() for a in references]) for side in ("forget", "controls")]
        differ = f"references are right on {right[0]:.1%} of the forget set and on {right[1]:.1%} of the controls"
        reasons = (f"the negative control fails: {worst.summary}", blind.summary, differ)
        return [Objection(reasons, (advice.CONTROLS_DIFFER,), Verdict.INVALID)]
    if controls.blind is not None and not controls.blind.holds:
        return [invalid(controls.blind.summary, advice.CONTROLS_DIFFER, advice.NO_REFERENCES)]
    return []


def _unlike_references(
    inputs: AuditInputs, target: Answers, references: Sequence[Answers], confidence: float
) -> list[Objection]:
    """Return why the model's answers on controls look trained on."""
    found = []
    comparable = references or ([target.original] if target.original is not None else [])
    uncorrelated = uncorrelated_with_references(target, comparable) or noisier_than_references(target, references)
    if uncorrelated:
        found.append(doubt(uncorrelated, advice.OUT_OF_ORDER))
    bootstrapped = inputs.task is not None and inputs.task.bootstrapped
    if references:
        informed = target.original if inputs.forgotten_share >= LARGE_REQUEST else None
        found += controls_look_trained(target, references, confidence, bootstrapped=bootstrapped, informed=informed)
    return found


def _notes(inputs: AuditInputs, references: Sequence[Answers], require_controls: bool) -> tuple[str, ...]:
    notes = []
    if not references:
        notes.append(
            "uncalibrated: no references, so examples are not compared with what a retrained model makes of them"
        )
    if len(references) < len(inputs.references):
        notes.append(
            f"{len(inputs.references)} references give only {len(references)} different models; equal ones count once"
        )
    if inputs.task is not None and inputs.task.bootstrapped and references:
        notes.append(
            "the recipe gives the same model for every seed, so references are trained on bootstraps of retain"
        )
    return (*notes, *controls_waived(require_controls))
