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

from pytest_unlearn.attacks.registry import Attack
from pytest_unlearn.attacks.signals import correctness
from pytest_unlearn.claims.common import advice
from pytest_unlearn.claims.common.alignment import Answered, misaligned, misaligned_beside_original, misaligned_others
from pytest_unlearn.claims.common.blind_baseline import blind_control
from pytest_unlearn.claims.common.conclusion import Conclusion, Found, Judge, OnDemand, conclude
from pytest_unlearn.claims.common.controls import (
    LARGE_REQUEST,
    controls_look_trained,
    distinct,
    noisier_than_references,
    same_answers,
    surely_beyond,
    uncorrelated_with_references,
    without,
)
from pytest_unlearn.claims.common.evidence import AucTerms, build_evidence, rounded
from pytest_unlearn.claims.common.findings import AttackFinding, run_attacks
from pytest_unlearn.claims.common.inputs import AuditInputs, removed_classes
from pytest_unlearn.claims.common.provenance import (
    ONLY_ITSELF,
    identity_notes,
    outputs_digest,
    provenance,
    reference_notes,
)
from pytest_unlearn.claims.common.shadows import could_be_shadowed
from pytest_unlearn.claims.common.stored_findings import record_of
from pytest_unlearn.claims.common.verdict import Objection, controls_waived, doubt
from pytest_unlearn.core.evidence import Answers, Evidence, Exposure, IntArray, Verdict
from pytest_unlearn.core.figures import Cell, Figure
from pytest_unlearn.core.settings import resolve
from pytest_unlearn.data.unseen import NoInputsError

Run = Callable[[Answers, Sequence[Answers]], tuple[AttackFinding, ...]]
OnOriginal = Callable[[Answers, Sequence[Answers], Sequence[AttackFinding]], tuple[Sequence[AttackFinding], str]]


FORGET_SET = "the forget set is"


@dataclass(frozen=True, slots=True)
class AttackAudit:
    """What an audit by attacks found, and what follows from it.

    `references` are the retrained models' answers without repetitions, `others` those that are not the model's own.
    `findings` are shown as the claim states them.
    """

    model: Any
    inputs: AuditInputs
    target: Answers
    original: Answers | None
    references: Sequence[Answers]
    others: Sequence[Answers]
    found: Found
    findings: Sequence[AttackFinding]
    concluded: Conclusion

    @property
    def terms(self) -> AucTerms:
        """The claim's settings."""
        return self.found.terms


def audit_with_attacks(
    model: Any,
    inputs: AuditInputs,
    run: Run,
    terms: AucTerms,
    *,
    on_original: OnOriginal | None = None,
    fewest_references: int = 2,
    counted: bool = False,
    judge_by: Judge | None = None,
    doubts: Callable[[], Sequence[Objection]] = tuple,
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
        counted: as in `judge`; so few examples as certify nothing then withhold PASS.
        judge_by: judges one model's findings at a confidence; by the limit on AUCs by default.
        doubts: finds doubts of the claim's own, once models were asked; nothing that lies in the original excuses them.
    """
    original, target, retrained = _ask(model, inputs)
    references = distinct(retrained)
    others = [answers for answers in references if not same_answers(answers, target)]
    findings = run(target, others)
    enough = len(references) >= fewest_references
    known, what = None, FORGET_SET
    if original is not None:
        seen = replace(original, channel=target)  # power against finer answers would say nothing of these
        known, what = (
            (run(seen, references), FORGET_SET) if on_original is None else on_original(seen, references, findings)
        )
    # What a model is checked by is all controls, also those that are not compared.
    every = inputs.everything
    base, model_itself, others_asked = (original, target, retrained) if every is inputs else _ask(model, every)
    comparable = references if every is inputs else distinct(others_asked)
    below = surely_beyond(findings, sides=("low",))
    unlike = _unlike_references(every, model_itself, comparable, terms.confidence, below=below)
    # Over-forgetting makes no model better on the controls, so that this outranks a FAIL.
    trained = [one for one in unlike if below and one.verdict is Verdict.INVALID]
    disordered = misaligned(model, model_itself, comparable)
    if base is not None and not comparable:
        disordered = misaligned_beside_original(model, model_itself, base, _removed(every))
    matched = inputs.matched
    unmatched = [] if matched is None else [*matched.objections(), *matched.follows(target, findings)]
    unbalanced: list[Objection] = []
    easier = False
    if matched is not None and not references:
        unbalanced = matched.unbalanced(inputs.pairing, terms.limit, terms.confidence)
        easier = matched.easier(inputs.pairing, terms.limit, terms.confidence)
    found = Found(
        terms=terms,
        pairing=inputs.pairing,
        sizes=inputs.sizes,
        findings=findings,
        known=known,
        plain=OnDemand(lambda: run(original, references) if original is not None else ()),
        what=what,
        rotations=[run(one, without(references, k)) for k, one in enumerate(references)] if enough else [],
        references=len(references),
        fewest_references=fewest_references,
        calibrated=bool(others),
        matched=matched is not None,
        counted=counted,
        simulable=inputs.task is not None and inputs.task.recipe is not None,
        training=None if inputs.task is None else inputs.task.training_seconds,
        runs_limit=float(resolve("max_mia_auc").value),
        shadowed=could_be_shadowed(inputs),
        itself=original is not None and same_answers(target, original),
        blind=None if references else blind_control(inputs, terms.limit, terms.confidence),
        differ=OnDemand(partial(_differ, every, comparable, terms)),
        misaligned=[
            *(one for one in unmatched if one.verdict is Verdict.INVALID),
            *(one for one in disordered if one.verdict is Verdict.INVALID),
            *_others_misaligned(model, every, model_itself, others_asked),
            *trained,
            *(unbalanced if easier else ()),
        ],
        unlike=[one for one in unlike if one not in trained],
        before=[
            *(one for one in (*unmatched, *disordered) if one.verdict is not Verdict.INVALID),
            *(() if easier else unbalanced),
            *doubts(),
        ],
        notes=(
            *_notes(inputs, references, terms.require_controls),
            *identity_notes(model, inputs.original, inputs.references, inputs.models),
        ),
        judge_by=judge_by,
    )
    return AttackAudit(
        model=model,
        inputs=inputs,
        target=target,
        original=original,
        references=references,
        others=others,
        found=found,
        findings=findings,
        concluded=conclude(found),
    )


def _ask(model: Any, inputs: AuditInputs) -> tuple[Answers | None, Answers, list[Answers]]:
    """Ask the original, the audited model, and each reference."""
    original = inputs.answers(inputs.original) if inputs.original is not None else None
    target, *retrained = (replace(inputs.answers(one), original=original) for one in (model, *inputs.references))
    return original, target, retrained


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
        audit.concluded.decision,
        audit.findings,
        controls=audit.concluded.controls,
        provenance=provenance(
            audit.model,
            (inputs.everything.forget, inputs.everything.controls),
            inputs.task,
            models=inputs.models,
            original=own_original and inputs.original is not None,
            retrained=own_references and bool(inputs.references),
            require_controls=audit.terms.require_controls,
            match=inputs.match,
            outputs=outputs_digest(audit.target),
            references=len(audit.references),
            max_share_left=audit.terms.max_share_left,
            **(_online(inputs) | settings),
        ),
        figures=figures,
        most_exposed=most_exposed,
        share_left=audit.concluded.share_left,
        not_testable=audit.concluded.not_testable,
        scores=record_of(audit.found, name, quantity) if resolve("store_scores").value else None,
    )


def _online(inputs: AuditInputs) -> dict[str, Any]:
    """Record what shadow models an audit had; nothing where it had none."""
    if inputs.shadows is None:
        return {}
    return {"online": {"shadow models": len(inputs.shadows.answers), "controls compared": inputs.sizes[1]}}


def finding_rows(findings: Sequence[AttackFinding]) -> tuple[tuple[Cell, ...], ...]:
    """Return each finding's name, role and bounds, as rows of a table."""
    return tuple((finding.name, finding.role, *rounded(finding.estimate)) for finding in findings)


def _others_misaligned(
    model: Any, inputs: AuditInputs, target: Answers, retrained: Sequence[Answers]
) -> list[Objection]:
    """Return why what the model is compared with may be in another order."""
    original, named = target.original, zip(inputs.references, retrained, strict=True)
    return misaligned_others(
        Answered.of("the model", model, target),
        None if original is None else Answered.of("the original", inputs.original, original),
        [Answered.of(f"retrained {k}", one, answers) for k, (one, answers) in enumerate(named)],
        unseen=("controls",),
        removed=_removed(inputs),
    )


def _removed(inputs: AuditInputs) -> Callable[[], IntArray] | None:
    """Return how to find the classes of which nothing is retained; None where that is not known."""
    return None if inputs.task is None else partial(removed_classes, inputs.task)


def _differ(inputs: AuditInputs, references: Sequence[Answers], terms: AucTerms) -> tuple[str, ...]:
    """Say how forget set and controls differ where references tell them apart."""
    try:
        blind: tuple[str, ...] = (blind_control(inputs, terms.limit, terms.confidence).summary,)
    except NoInputsError:  # of files nothing but outputs is known
        blind = ()
    right = [np.mean([correctness(getattr(a, side)).mean() for a in references]) for side in ("forget", "controls")]
    return (*blind, f"references are right on {right[0]:.1%} of the forget set and on {right[1]:.1%} of the controls")


def _unlike_references(
    inputs: AuditInputs, target: Answers, references: Sequence[Answers], confidence: float, *, below: bool
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
        found += controls_look_trained(
            target, references, confidence, bootstrapped=bootstrapped, informed=informed, below=below
        )
    return found


def _notes(inputs: AuditInputs, references: Sequence[Answers], require_controls: bool) -> tuple[str, ...]:
    notes = [
        *reference_notes(
            len(references),
            len(inputs.references),
            bootstrapped=inputs.task is not None and inputs.task.bootstrapped,
            compared="examples",
        )
    ]
    if inputs.matched is not None and not inputs.matched.fails:
        notes.append(inputs.matched.note())
    if inputs.among is not None:
        notes.append(f"compared with {len(inputs.among):,} of {len(inputs.everything.controls):,} controls")
    if inputs.shadows is not None:
        notes.append(
            f"online: {len(inputs.shadows.answers)} shadow models, each trained on retain and on a half of the forget "
            f"set and of {inputs.sizes[1]:,} of {len(inputs.controls):,} controls, drawn without regard to which is "
            "which"
        )
    return (*notes, *controls_waived(require_controls))
