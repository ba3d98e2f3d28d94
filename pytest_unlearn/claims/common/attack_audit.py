"""A claim whose deciding set is its own: run it on the model, the original and every reference, and rule.

What `audit_forgotten` does with a model's logits, other claims do with its features or with its weakened copies: the
same verdict rule, the same controls. `original` must be recognised by the claim's own attacks, references must not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pytest_unlearn.attacks.registry import Attack
from pytest_unlearn.claims.common import advice
from pytest_unlearn.claims.common.controls import distinct, negative_controls, same_answers
from pytest_unlearn.claims.common.findings import Finding, Judgement, judge, run_attacks, shows_power
from pytest_unlearn.claims.common.inputs import Case
from pytest_unlearn.claims.common.provenance import ONLY_ITSELF, identity_notes, outputs_digest, provenance
from pytest_unlearn.claims.common.verdict import Ruling, rule
from pytest_unlearn.core.evidence import Answers, Claim, ControlResult, Controls, Evidence, Verdict
from pytest_unlearn.core.figures import Exhibit
from pytest_unlearn.core.settings import Setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What the claim's attacks found in the model, and what the controls made of it.

    `known` are the references' answers without repetitions, `others` those that are not the model's own.
    """

    case: Case
    target: Answers
    original: Answers | None
    known: tuple[Answers, ...]
    others: tuple[Answers, ...]
    findings: tuple[Finding, ...]
    judgement: Judgement
    controls: Controls
    ruling: Ruling
    limit: Setting
    level: Setting
    strict: Setting


def hold_trial(
    model: Any,
    case: Case,
    deciding: Sequence[Attack],
    wires: Sequence[Attack],
    *,
    limit: Setting,
    level: Setting,
    strict: Setting,
) -> Trial:
    """Run the attacks on the model, on the original and on each reference in turn, and rule.

    Raises:
        ValueError: no references besides the audited model, or a model that cannot be asked what the attacks ask.
    """
    case = case.for_attacks((*deciding, *wires))
    target = case.answers(model)
    original = case.answers(case.original) if case.original is not None else None
    known = distinct([case.answers(one) for one in case.references])
    others = [answers for answers in known if not same_answers(answers, target)]
    if not others:
        raise ValueError(ONLY_ITSELF)
    fewest = min(len(case.forget), len(case.controls))

    def look(one: Answers, among: Sequence[Answers]) -> tuple[Finding, ...]:
        enough = [a for a in wires if len(among) >= a.least_references and fewest >= a.least_examples]
        return run_attacks(deciding, enough, one, among, case.pairing, level.value)

    findings = look(target, others)
    judgement = judge(findings, limit.value, level.value, can_certify=True)
    wanted = 1 + max(attack.least_references for attack in deciding)
    rotations = [look(one, known[:k] + known[k + 1 :]) for k, one in enumerate(known)] if len(known) >= wanted else []
    controls = Controls(
        original=_positive(look(original, known), limit.value) if original is not None else None,
        retrained=negative_controls(rotations, limit.value, 1 - (1 - level.value) / max(1, len(rotations))),
    )
    ruling = rule(case, target, known, original, judgement, controls, limit.value, strict.value)
    if strict.value and 2 <= len(known) < wanted:
        ruling = _without_negative_control(ruling, len(known), wanted)
    if ruling.verdict is Verdict.INCONCLUSIVE and judgement.verdict is Verdict.INCONCLUSIVE:
        ruling = replace(ruling, advice=(*ruling.advice, *advice.TRIAL_UNSETTLED))
    return Trial(
        case=case,
        target=target,
        original=original,
        known=tuple(known),
        others=tuple(others),
        findings=findings,
        judgement=judgement,
        controls=controls,
        ruling=ruling,
        limit=limit,
        level=level,
        strict=strict,
    )


def trial_evidence(
    trial: Trial, model: Any, *, name: str, quantity: str, exhibits: Sequence[Exhibit], **settings: Any
) -> Evidence:
    """The evidence of a trial, under the claim's name."""
    case, judgement, ruling = trial.case, trial.judgement, trial.ruling
    return Evidence(
        claim=Claim(
            name=name,
            quantity=quantity,
            lowest=round(1 - trial.limit.value, 12),
            highest=trial.limit.value,
            sources={
                "max_mia_auc": trial.limit.source,
                "confidence": trial.level.source,
                "require_controls": trial.strict.source,
            },
        ),
        verdict=ruling.verdict,
        estimate=judgement.finding.estimate,
        decided_by=judgement.finding.attack.name,
        label=judgement.label if ruling.verdict is Verdict.FAIL else "",
        attacks={finding.attack.name: finding.estimate for finding in trial.findings},
        deciding=tuple(finding.attack.name for finding in trial.findings if finding.deciding),
        controls=trial.controls,
        reasons=(*ruling.reasons, *identity_notes(model, case.original, case.references, case.models)),
        advice=ruling.advice,
        provenance=provenance(
            model,
            (case.forget, case.controls),
            case.task,
            models=case.models,
            original=case.task is not None and case.original is not None,
            retrained=case.task is not None,
            require_controls=trial.strict.value,
            match="class" if case.pairing.forget_strata is not None else None,
            outputs=outputs_digest(trial.target),
            references=len(trial.known),
            **settings,
        ),
        exhibits=tuple(exhibits),
    )


def _without_negative_control(ruling: Ruling, count: int, wanted: int) -> Ruling:
    """No PASS where so few references cannot be judged by one another; `rule` itself knows of fewer than two."""
    if ruling.verdict not in (Verdict.PASS, Verdict.INCONCLUSIVE):
        return ruling
    says = f"no negative control: {count} distinct references, and it takes {wanted} to judge each by the others"
    then = f"give at least {wanted} references, so that each can be judged by the others"
    return replace(ruling, verdict=Verdict.INCONCLUSIVE, reasons=(says, *ruling.reasons), advice=(*ruling.advice, then))


def _positive(findings: Sequence[Finding], limit: float) -> ControlResult:
    strong = shows_power(findings, limit)
    best = strong or max((f for f in findings if f.deciding), key=lambda finding: finding.estimate.low)
    verb = "is recognised" if strong else f"is not recognised beyond {limit:g} with certainty"
    return ControlResult(
        name="original",
        holds=strong is not None,
        attack=best.attack.name,
        estimate=best.estimate,
        says=f"the forget set {verb} in the original model",
    )
