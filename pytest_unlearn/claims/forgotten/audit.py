"""audit_forgotten: is the forget set still recognisable in this model, and is the answer itself trustworthy?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from pytest_unlearn.attacks.registry import Attack, attacks_by_name
from pytest_unlearn.attacks.subgroups import Mask
from pytest_unlearn.claims.common import advice
from pytest_unlearn.claims.common.blind_baseline import blind_control
from pytest_unlearn.claims.common.controls import (
    distinct,
    negative_controls,
    positive_control,
    same_answers,
)
from pytest_unlearn.claims.common.findings import Finding, examine, is_coarse, judge, labels_only, slice_masks
from pytest_unlearn.claims.common.inputs import Case, open_case
from pytest_unlearn.claims.common.provenance import identity_notes, outputs_digest, provenance
from pytest_unlearn.claims.common.verdict import rule
from pytest_unlearn.claims.forgotten import tables as further
from pytest_unlearn.claims.forgotten.availability import usable
from pytest_unlearn.claims.forgotten.figures import forgetting_exhibits, pixels, scores_by_model
from pytest_unlearn.core.evidence import Answers, Claim, ControlResult, Controls, Evidence, Exposure, Verdict
from pytest_unlearn.core.figures import Exhibit
from pytest_unlearn.core.settings import CONFIDENCE, MAX_MIA_AUC, REQUIRE_CONTROLS, resolve
from pytest_unlearn.models.predict import Output
from pytest_unlearn.statistics import can_certify, placements
from pytest_unlearn.statistics.references.rank import ENOUGH

MOST_EXPOSED = 5


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
    attacks: str | Iterable[str | Attack] = "standard",
    slices: Mapping[str, Any] | None = None,
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
        attacks: attacks to add as tripwires: names in `attacks/registry.py`, attacks of your own, or "all" that can
            be run here. Each model is asked what they ask, once.
        slices: named parts of the forget set, each a boolean mask over it or positions in it: the verdict is FAIL if
            one of them is recognisable, whatever the average.

    Returns:
        Evidence with verdict PASS, FAIL, INCONCLUSIVE or INVALID. A leak is never an exception.

    Raises:
        ValueError: input that cannot be audited (see `Split`, `evaluate`), or a bare loader without its counterparts.
    """
    limit = resolve("max_mia_auc", max_mia_auc)
    level = resolve("confidence", confidence)
    strict = resolve("require_controls", require_controls)
    added = attacks_by_name(attacks)
    case = open_case(
        forget,
        nonmembers=nonmembers,
        baseline=baseline,
        references=references,
        match=match,
        output=output,
        require_controls=strict.value,
    )
    added, left_out = usable(added, case, model, insist=attacks != "all")
    masks = slice_masks(slices, len(case.forget))
    case = case.for_attacks(added)
    original = case.answers(case.original) if case.original is not None else None
    target = replace(case.answers(model), original=original)
    known = distinct([replace(case.answers(one), original=original) for one in case.references])
    others = [answers for answers in known if not same_answers(answers, target)]
    certifiable = can_certify(
        limit.value,
        level.value,
        len(case.forget),
        len(case.controls),
        **case.pairing.labels,
    )
    run = partial(examine, pairing=case.pairing, confidence=level.value, more=added, slices=masks)
    findings = run(target, others)
    as_peers = run(target, others[: len(known) - 1]) if len(known) >= ENOUGH else findings  # judged by as many as they
    judgement = judge(findings, limit.value, level.value, certifiable)
    rotations = [run(one, known[:k] + known[k + 1 :]) for k, one in enumerate(known)] if len(known) > 1 else []
    controls = Controls(
        original=_positive(case, original, known, findings, limit.value, level.value),
        retrained=negative_controls(rotations, limit.value, level.value),
        blind=None if known else blind_control(case, limit.value, level.value),
    )
    whole = len(judgement.finding.scores.forget) == len(case.forget)
    shown = judgement.finding if whole else findings[0]  # a slice has no score for every forget example
    ruling = rule(case, target, known, original, judgement, controls, limit.value, strict.value)
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
        reasons=(*ruling.reasons, *identity_notes(model, case.original, case.references, case.models)),
        advice=ruling.advice,
        needed=needed,
        most_exposed=_most_exposed(case, shown if judgement.verdict is Verdict.FAIL else None, findings[0]),
        provenance=provenance(
            model,
            (case.forget, case.controls),
            case.task,
            models=case.models,
            original=baseline is None and case.original is not None,
            retrained=references is None and bool(case.references),
            require_controls=strict.value,
            match="class" if case.pairing.forget_strata is not None else None,
            calibrated=bool(known),
            outputs=outputs_digest(target),
            attacks={"added": [attack.name for attack in added], "left out": left_out},
            references=len(known),
        ),
        exhibits=(
            *_exhibits(case, target, original, others, known, findings, shown, level.value),
            *_further(case, target, known, findings, as_peers, rotations, masks, level.value),
        ),
    )


def _positive(
    case: Case,
    original: Answers | None,
    known: list[Answers],
    findings: Sequence[Finding],
    limit: float,
    confidence: float,
) -> ControlResult | None:
    if original is None:
        return None
    return positive_control(original, known, case.pairing, limit, confidence, coarse=is_coarse(findings))


def _further(
    case: Case,
    target: Answers,
    known: Sequence[Answers],
    findings: Sequence[Finding],
    as_peers: Sequence[Finding],
    rotations: Sequence[Sequence[Finding]],
    masks: Mapping[str, Mask],
    confidence: float,
) -> tuple[Exhibit, ...]:
    found = (
        further.slices_table(findings[0], masks, case.pairing, confidence),
        further.release_table(findings, case.pairing, confidence),
        further.retain_table(target, known, confidence),
        further.epsilon_table(findings[0], case.pairing, confidence),
        further.null_table(as_peers, rotations),
    )
    return tuple(table for table in found if table is not None)


def _exhibits(
    case: Case,
    target: Answers,
    original: Answers | None,
    others: Sequence[Answers],
    known: Sequence[Answers],
    findings: Sequence[Finding],
    shown: Finding,
    confidence: float,
) -> tuple[Exhibit, ...]:
    if original is not None and is_coarse(findings):
        original = labels_only(original)
    scores = scores_by_model(shown.attack, shown.scores, original, known, case.pairing)
    labels = case.forget.labels, case.controls.labels
    return forgetting_exhibits(shown.attack, scores, target, others, labels, case.pairing, confidence)


def _most_exposed(case: Case, failed: Finding | None, usual: Finding) -> tuple[Exposure, ...]:
    """The forget examples that stand out most under the attack that failed, else under the first deciding one."""
    finding = failed or usual
    below = np.zeros(len(case.forget))
    for label in np.unique(case.forget.labels) if case.pairing.forget_strata is not None else [None]:
        ours = slice(None) if label is None else case.forget.labels == label
        theirs = slice(None) if label is None else case.controls.labels == label
        below[ours] = placements(finding.scores.forget[ours], finding.scores.controls[theirs])[0]
    strangeness = 1 - below if failed and finding.estimate.value < 0.5 else below
    order = np.argsort(-strangeness, kind="stable")[:MOST_EXPOSED]
    shown = resolve("report_thumbnails").value
    return tuple(
        Exposure(
            index=int(case.forget.indices[i]),
            percentile=float(below[i]),
            pixels=pixels(case.forget[int(i)][0]) if shown else None,
        )
        for i in order
    )
