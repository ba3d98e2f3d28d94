"""Audit of forgetting by membership inference, with controls of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np

from pytest_unlearn.attacks.registry import Attack, attacks_by_name
from pytest_unlearn.attacks.subgroups import Mask
from pytest_unlearn.claims.common.attack_audit import FORGET_SET, AttackAudit, Run, attack_evidence, audit_with_attacks
from pytest_unlearn.claims.common.evidence import auc_terms
from pytest_unlearn.claims.common.findings import AttackFinding, evaluate_attacks, is_coarse, labels_only, slice_masks
from pytest_unlearn.claims.common.inputs import AuditInputs, resolve_inputs
from pytest_unlearn.claims.common.shadows import asks_online, check_online, with_shadows
from pytest_unlearn.claims.forgotten import tables
from pytest_unlearn.claims.forgotten.availability import available_attacks, check_attainable
from pytest_unlearn.claims.forgotten.figures import (
    ORIGINAL,
    RETRAINED,
    UNLEARNED,
    accuracies,
    forgetting_figures,
    pixels,
    sample_sizes,
    scores_by_model,
)
from pytest_unlearn.core.evidence import Answers, Evidence, Exposure, Verdict
from pytest_unlearn.core.figures import Figure
from pytest_unlearn.core.settings import CONFIDENCE, MAX_MIA_AUC, MAX_SHARE_LEFT, REQUIRE_CONTROLS, resolve
from pytest_unlearn.data.matching import Match
from pytest_unlearn.data.unseen import UnseenExamples
from pytest_unlearn.data.view import as_view
from pytest_unlearn.models.acceptance import check_model
from pytest_unlearn.models.predict import Output, OutputKind, read_as
from pytest_unlearn.statistics import placements
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
    match: Match = "inherit",
    output: Output = None,
    output_kind: OutputKind | None = None,
    attacks: str | Iterable[str | Attack] = "standard",
    slices: Mapping[str, Any] | None = None,
    max_share_left: float = MAX_SHARE_LEFT,
) -> Evidence:
    """Audit whether the forget set is still recognisable in this model.

    Args:
        model: the unlearned model: an `nn.Module`, a fitted scikit-learn classifier, a callable `x -> logits`, or
            `SavedOutputs`.
        forget: the forget view of an `UnlearningTask` or its loader; or a bare DataLoader or dataset together with
            `nonmembers=` and `baseline=`.
        max_mia_auc: the largest membership-inference AUC that is tolerated, between 0.5 and 1; 1 - max_mia_auc is the
            smallest, since conspicuously bad behaviour on the forget set is a leak too; without references, which say
            how hard the request is, that withholds PASS and is no FAIL. Perfect unlearning gives 0.5.
        nonmembers: examples no model was trained on, in place of the task's controls.
        baseline: the original model, in place of the task's.
        references: models retrained without the forget set, in place of the task's.
        require_controls: whether a missing control makes the verdict INCONCLUSIVE at best.
        confidence: of every one-sided bound.
        match: "class" compares within classes, None across; "propensity", a column, a callable or ("class", one of
            these) as in `Split`; the split's own rule by default.
        output: which entry of a dict or tuple output holds the logits.
        output_kind: "logits", "probabilities" or "log-probabilities"; told by range and sum if it is not given.
        attacks: attacks to add as tripwires: names in `attacks/registry.py`, attacks of your own, or "all" that can
            be run here. Each model is asked what they ask, once. "online", alone or among them, trains shadow models
            with halves of the request (`UnlearningTask(shadow_models=)`), of which far sharper attacks learn: they
            decide in place of the residuals, for requests that are too small for these.
        slices: named parts of the forget set, each a boolean mask over it or positions in it, and each a claim of its
            own: PASS needs the bounds of each within the limit, and the verdict is FAIL if one of them is recognisable,
            whatever the average. A slice that is too small to be certified withholds PASS.
        max_share_left: the largest share of the original's excess over chance that PASS may leave, above 0 and below 1,
            by every deciding attack that recognises the original.

    Returns:
        Evidence with verdict PASS, FAIL, INCONCLUSIVE or INVALID. A leak is never an exception.

    Raises:
        ValueError: input that cannot be audited (see `Split`, `evaluate`), or a bare loader without its counterparts.
    """
    output = read_as(output, output_kind)
    terms = auc_terms(max_mia_auc, confidence, require_controls, max_share_left)
    online, attacks = asks_online(attacks)
    added = attacks_by_name(attacks)
    check_model(model)
    forget = as_view(forget, "forget")
    if online:
        check_online(model, forget, given=any(one is not None for one in (nonmembers, baseline, references)))
    named = slice_masks(slices, len(forget))
    if attacks != "all":
        check_attainable(added, model, forget, references, baseline)
    inputs = resolve_inputs(
        forget,
        nonmembers=nonmembers,
        baseline=baseline,
        references=references,
        match=match,
        output=output,
        require_controls=terms.require_controls,
        audited=(model,),
    )
    added, left_out = available_attacks(added, inputs, model, insist=attacks != "all")
    masks = _compared(named, inputs)
    inputs = (with_shadows(inputs) if online else inputs).for_attacks(added)
    judge = partial(
        evaluate_attacks,
        pairing=inputs.pairing,
        confidence=terms.confidence,
        by_class=inputs.by_class,
        shadows=inputs.shadows,
    )
    run = partial(judge, more=added, slices=masks)
    audit = audit_with_attacks(model, inputs, run, terms, on_original=partial(_on_original, judge), counted=True)
    judged = audit.concluded.judged
    whole = len(judged.finding.scores.forget) == len(inputs.forget)
    shown = judged.finding if whole else audit.findings[0]  # a slice has no score for every forget example
    return attack_evidence(
        audit,
        name="forgotten",
        quantity="membership AUC",
        figures=(*_figures(audit, shown), *_tables(audit, run, masks)),
        own_original=baseline is None,
        own_references=references is None,
        most_exposed=_most_exposed(inputs, shown if judged.verdict is Verdict.FAIL else None, audit.findings[0]),
        calibrated=bool(audit.references),
        attacks={"added": [attack.name for attack in added], "left out": left_out},
    )


def _compared(slices: Mapping[str, Mask], inputs: AuditInputs) -> dict[str, Mask]:
    """Keep of slices what is compared at all."""
    if inputs.matched is None or inputs.matched.fails:
        return dict(slices)
    kept = {name: mask[inputs.matched.kept] for name, mask in slices.items()}
    for name, mask in kept.items():
        if not mask.any():
            raise ValueError(f"slice {name!r} holds no example with a comparable control, by match={inputs.match!r}.")
    return kept


def _on_original(
    judge: Callable[..., tuple[AttackFinding, ...]],
    original: Answers,
    references: Sequence[Answers],
    findings: Sequence[AttackFinding],
) -> tuple[tuple[AttackFinding, ...], str]:
    """Find in the original what the deciding attacks recognise, and say what that is.

    It is seen through the audited model's channel; where that reveals so little that most pairs tie, it is reduced to
    its labels too: power against finer outputs would say nothing about the attack that was possible.
    """
    coarse = is_coarse(findings)
    revealed = labels_only(original) if coarse else original
    what = "the forget set, reduced to its labels like the audited model, is" if coarse else FORGET_SET
    return judge(revealed, references, standard=False), what


def _tables(audit: AttackAudit, run: Run, masks: Mapping[str, Mask]) -> tuple[Figure, ...]:
    """Return the secondary analyses that can be made here."""
    findings, pairing, confidence = audit.findings, audit.inputs.pairing, audit.terms.confidence
    as_peers = findings
    if len(audit.references) >= ENOUGH:  # judged by as many as each of them
        as_peers = run(audit.target, audit.others[: len(audit.references) - 1])
    found = (
        tables.slices_table(audit.target, audit.others, masks, pairing, confidence),
        tables.release_table(findings, pairing, confidence),
        tables.retain_table(audit.target, audit.references, confidence),
        tables.epsilon_table(findings[0], pairing, confidence),
        tables.null_table(as_peers, audit.found.rotations),
        tables.matched_table(audit.inputs.matched, findings, pairing, confidence),
    )
    return tuple(table for table in found if table is not None)


def _figures(audit: AttackAudit, shown: AttackFinding) -> tuple[Figure, ...]:
    inputs, original = audit.inputs, audit.original
    if original is not None and is_coarse(audit.findings):
        original = labels_only(original)
    scores = scores_by_model(shown.attack, shown.scores, original, audit.references, inputs.pairing)
    labels = inputs.forget.labels, inputs.control_labels
    confidence, sizes = audit.terms.confidence, inputs.sizes
    return (
        accuracies(audit.target, audit.others, _accuracies_beside(audit)),
        *forgetting_figures(shown.attack, scores, audit.target, audit.others, labels, inputs.pairing, confidence),
        sample_sizes(audit.terms.limit, confidence, inputs.pairing, sizes),
    )


def _accuracies_beside(audit: AttackAudit) -> dict[str, dict[str, list[float]]]:
    """Ask how often each model is right on retained data and on the test set, as utility is.

    Retained data that an identity stands for, and that this process has not read, are not read for a picture.
    """
    inputs = audit.inputs
    unread = inputs.task is not None and inputs.task.retain.examples.remembered
    originals = [] if inputs.original is None else [inputs.original]
    models = {UNLEARNED: [audit.model], ORIGINAL: originals, RETRAINED: inputs.references}
    parts: tuple[Literal["retain", "test"], ...] = ("test",) if unread else ("retain", "test")
    return {
        part: {
            name: [right for one in of if (right := inputs.accuracy(one, part)) is not None]
            for name, of in models.items()
        }
        for part in parts
    }


def _most_exposed(inputs: AuditInputs, failed: AttackFinding | None, usual: AttackFinding) -> tuple[Exposure, ...]:
    """List the forget examples that stand out most under the failing attack."""
    finding = failed or usual
    below = np.zeros(len(inputs.forget))
    strata = inputs.pairing.forget_strata, inputs.pairing.control_strata
    for stratum in [None] if strata[0] is None else np.unique(strata[0]):
        ours = slice(None) if stratum is None else strata[0] == stratum
        theirs = slice(None) if stratum is None else strata[1] == stratum
        below[ours] = placements(finding.scores.forget[ours], finding.scores.controls[theirs])[0]
    strangeness = 1 - below if failed and finding.estimate.value < 0.5 else below
    order = np.argsort(-strangeness, kind="stable")[:MOST_EXPOSED]
    examples = inputs.forget.examples
    of_file = examples if isinstance(examples, UnseenExamples) else None
    shown = resolve("report_thumbnails").value and of_file is None
    return tuple(
        Exposure(
            index=int(inputs.forget.indices[i]),
            percentile=float(below[i]),
            named=of_file.who(int(inputs.forget.indices[i])) if of_file is not None else "",
            pixels=pixels(inputs.forget[int(i)][0]) if shown else None,
        )
        for i in order
    )
