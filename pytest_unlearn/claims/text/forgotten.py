"""Audit whether documents are still recognisable in a language model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from pytest_unlearn.attacks.attack import Attack, Pairing
from pytest_unlearn.attacks.text.registry import attacks_after_prefix, text_attacks, twin_attacks
from pytest_unlearn.attacks.text.signals import mean_log_probability
from pytest_unlearn.claims.common.attack_audit import FORGET_SET
from pytest_unlearn.claims.common.conclusion import Conclusion, Found, OnDemand, conclude, least_shown
from pytest_unlearn.claims.common.controls import same_answers, surely_beyond, without
from pytest_unlearn.claims.common.evidence import AucTerms, auc_terms, build_evidence
from pytest_unlearn.claims.common.findings import AttackFinding, run_attacks
from pytest_unlearn.claims.common.provenance import ONLY_ITSELF, identity_notes, reference_notes
from pytest_unlearn.claims.common.stored_findings import record_of
from pytest_unlearn.claims.common.verdict import Objection, controls_waived, doubt
from pytest_unlearn.claims.text.blind import blind_text_control
from pytest_unlearn.claims.text.comparable import comparable_objections
from pytest_unlearn.claims.text.figures import caught_at_low_fpr, text_figures
from pytest_unlearn.claims.text.inputs import TextInputs, resolve_text_inputs, text_provenance
from pytest_unlearn.claims.text.prefix import AfterPrefix, prefix_of
from pytest_unlearn.core.evidence import Evidence, Exposure, Verdict
from pytest_unlearn.core.settings import CONFIDENCE, MAX_MIA_AUC, MAX_SHARE_LEFT, REQUIRE_CONTROLS, resolve
from pytest_unlearn.core.token_scores import TextAnswers
from pytest_unlearn.data.text.split import MOST_RETAINED
from pytest_unlearn.models.text.adapters import bare
from pytest_unlearn.statistics import placements
from pytest_unlearn.task import UnlearningTask

MOST_EXPOSED = 5
SHOWN_BY_TWINS = "twins stand in for controls: they show names and numbers, and nothing of the words that both share"
SHARED_WORDS = (
    "twins share all words of a document but its names and numbers, so that a model which remembers those words would "
    "not be seen"
)
HOLD_OUT = (
    "hold documents out at random before the next training, and pass them as controls=; or accept what twins show with "
    "require_controls=False, which the evidence records"
)
KNOWS_THE_WORLD = (
    "without retrained models nobody is accused of preferring true names to swapped ones: who never saw the documents "
    "may know them from elsewhere"
)


def audit_text_forgotten(
    model: Any,
    documents: Any,
    max_mia_auc: float = MAX_MIA_AUC,
    *,
    tokenizer: Any = None,
    controls: Any = None,
    baseline: Any = None,
    references: Sequence[Any] | None = None,
    groups: Any = None,
    twins: Any = None,
    recall_prefix: Any = None,
    require_controls: bool = REQUIRE_CONTROLS,
    confidence: float = CONFIDENCE,
    max_share_left: float = MAX_SHARE_LEFT,
    max_length: int | None = None,
) -> Evidence:
    """Audit whether documents are still recognisable in a language model.

    Args:
        model: the unlearned model: a causal model of transformers (with adapters or without), a text-generation
            pipeline, a callable `(input_ids, attention_mask) -> logits`, or `SavedLogprobs`.
        documents: the forget view of an `UnlearningTask` of a `TextSplit`; or a list of documents together with
            `controls=` and `baseline=`.
        max_mia_auc: the largest membership-inference AUC over documents that is tolerated, between 0.5 and 1; 1 -
            max_mia_auc is the smallest, since conspicuously bad behaviour on the request is a leak too. Perfect
            unlearning gives 0.5.
        tokenizer: of transformers or tokenizers, or a callable; the recipe's or the pipeline's by default.
        controls: documents no model was trained on, in place of the task's.
        baseline: the original model, in place of the task's.
        references: models retrained without the request, in place of the task's.
        groups: of bare documents, one id each: the unit of deletion, such as an author.
        twins: in place of controls, where none were held out before training: one counterfactual twin a document, in
            order (`counterfactual_twins`). They show whether the model prefers true names and numbers to swapped ones,
            and nothing of the words that both share, so that PASS needs `require_controls=False`. Without references
            they accuse nobody: a model that never saw the documents may know the world. With references a preference
            beyond retrained models' is FAIL, and references that differ among themselves make it INVALID.
        recall_prefix: a document that no model was trained on and that is none of these: models are asked again after
            it, and the ratio of what they think of each document with it and without (ReCaLL) watches too, beside
            references. A second evaluation of every model, which `SavedLogprobs` cannot have.
        require_controls: whether a missing control makes the verdict INCONCLUSIVE at best.
        confidence: of every one-sided bound.
        max_share_left: the largest share of the original's excess over chance that PASS may leave, above 0 and below 1,
            by every deciding attack that recognises the original.
        max_length: tokens that models are asked about at once; the recipe's, or as many as the model takes.

    Returns:
        Evidence with verdict PASS, FAIL, INCONCLUSIVE or INVALID. Units are documents, or groups, never tokens.

    Raises:
        TypeError: no language model, or no documents.
        ValueError: input that cannot be audited, or bare documents without their counterparts.

    Sources: `attacks/text/registry.py` has one for each attack; the residual's is `statistics/residual.py`.
    """
    terms = auc_terms(max_mia_auc, confidence, require_controls, max_share_left)
    inputs = resolve_text_inputs(
        model,
        documents,
        tokenizer=tokenizer,
        max_length=max_length,
        controls=controls,
        groups=groups,
        baseline=baseline,
        references=references,
        require_controls=terms.require_controls,
        twins=twins,
    )
    attacks, ask = twin_attacks if inputs.twins else text_attacks, None
    if recall_prefix is not None:
        attacks, ask = attacks_after_prefix, AfterPrefix(inputs, prefix_of(recall_prefix, model, inputs))
    audit = audit_documents(bare(model), inputs, terms, ask=ask, attacks=attacks)
    judged = audit.concluded.judged
    failed = judged.finding if judged.verdict is Verdict.FAIL else None
    return build_evidence(
        terms.claim("text_forgotten", "membership AUC over documents"),
        audit.concluded.decision,
        audit.found.findings,
        controls=audit.concluded.controls,
        provenance=text_provenance(
            bare(model),
            inputs,
            (audit.target.forget, audit.target.controls),
            own=(baseline is None, references is None),
            require_controls=terms.require_controls,
            max_share_left=terms.max_share_left,
            **({"twins": True} if inputs.twins else {}),
            **({"recall_prefix": list(ask.before.prefix)} if ask is not None else {}),
        ),
        figures=(
            *text_figures(audit.shown, audit.target, audit.original, audit.references),
            *caught_at_low_fpr(
                _by_model(audit.found), terms.confidence, grouped=inputs.pairing.forget_groups is not None
            ),
        ),
        most_exposed=_most_exposed(inputs, failed or audit.found.findings[0]),
        share_left=audit.concluded.share_left,
        not_testable=audit.concluded.not_testable,
        scores=record_of(audit.found, "text_forgotten", "membership AUC over documents")
        if resolve("store_scores").value and not inputs.twins
        else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TextAudit:
    """What attacks found in documents' scores, and what follows."""

    target: TextAnswers
    original: TextAnswers | None
    references: Sequence[TextAnswers]
    found: Found
    concluded: Conclusion

    @property
    def shown(self) -> AttackFinding:
        """The finding that pictures are of: the one that settled the verdict by itself."""
        return self.concluded.judged.finding


def audit_documents(
    model: Any,
    inputs: TextInputs,
    terms: AucTerms,
    *,
    ask: Callable[[Any], TextAnswers] | None = None,
    attacks: Callable[[bool], tuple[Sequence[Attack], Sequence[Attack]]] = text_attacks,
    pairing: Pairing | None = None,
    sizes: tuple[int, int] | None = None,
) -> TextAudit:
    """Run the attacks on model, original and each reference, and decide.

    Args:
        model: the audited model.
        inputs: what it is compared with, and how it is asked; by that it is compared with other models.
        terms: of the claim.
        ask: what the attacks ask of a model; by default what is asked anyway.
        attacks: those that decide, and tripwires, with references or without.
        pairing: who is compared with whom in what the attacks ask; by default as in `inputs`.
        sizes: of the two sets in what the attacks ask; by default as in `inputs`.
    """
    confidence, asked = terms.confidence, ask or inputs.answers
    pairing, sizes = pairing or inputs.pairing, sizes or inputs.sizes
    target = inputs.answers(model)
    original = None if inputs.original is None else inputs.answers(inputs.original)
    models = _distinct_models(inputs)
    references = [inputs.answers(one) for one in models]
    if references and all(same_answers(one, target, mean_log_probability) for one in references):
        raise ValueError(ONLY_ITSELF)
    apart = [not same_answers(one, target, mean_log_probability) for one in references]
    others = [one for one, own in zip(references, apart, strict=True) if own]
    seen, seen_in_references = asked(model), [asked(one) for one in models]
    seen_in_others = [one for one, own in zip(seen_in_references, apart, strict=True) if own]
    seen_in_original = None if inputs.original is None else asked(inputs.original)

    def run(one: TextAnswers, among: Sequence[TextAnswers], *, tripwires: bool = True) -> tuple[AttackFinding, ...]:
        deciding, watching = attacks(bool(among))
        return run_attacks(deciding, watching if tripwires else (), one, among, pairing, confidence)

    findings = run(seen, seen_in_others)
    known = None
    if seen_in_original is not None:
        known = run(replace(seen_in_original, channel=seen), seen_in_references, tripwires=False)
    trained: list[Objection] = []
    unlike: list[Objection] = []
    if references:
        below = surely_beyond(findings, sides=("low",))
        retained = inputs.retained(model, MOST_RETAINED)
        trained, unlike = comparable_objections(target, others, original, retained, confidence, below=below)
    if inputs.twins and terms.require_controls:
        unlike = [*unlike, doubt(SHARED_WORDS, HOLD_OUT)]
    found = Found(
        terms=terms,
        pairing=pairing,
        sizes=sizes,
        findings=findings,
        known=known,
        plain=OnDemand(
            lambda: () if seen_in_original is None else run(seen_in_original, seen_in_references, tripwires=False)
        ),
        what=FORGET_SET,
        rotations=[run(one, without(seen_in_references, k)) for k, one in enumerate(seen_in_references)]
        if len(references) > 1
        else [],
        references=len(references),
        fewest_references=2,
        calibrated=bool(others),
        counted=True,
        documents=True,
        training=None if inputs.task is None else inputs.task.training_seconds,
        itself=original is not None and same_answers(target, original, mean_log_probability),
        blind=None if references else blind_text_control(inputs, terms.limit, confidence),
        differ=OnDemand(partial(_differ, inputs, references, terms)),
        misaligned=trained,
        unlike=unlike,
        notes=(
            *_notes(inputs, references),
            *controls_waived(terms.require_controls),
            *identity_notes(model, inputs.original, inputs.references, inputs.models),
        ),
    )
    return TextAudit(target=target, original=original, references=references, found=found, concluded=conclude(found))


def original_shown(task: UnlearningTask, original: Any, references: Sequence[Any]) -> float | None:
    """Compute with which AUC an audit would recognise the request in the original.

    By the attack that shows it least, which is what a perfect method is compared with; None without references.
    """
    if not references:
        return None
    terms = auc_terms(MAX_MIA_AUC, CONFIDENCE, False, MAX_SHARE_LEFT)
    inputs = resolve_text_inputs(
        references[0],
        task.forget,
        tokenizer=None,
        max_length=None,
        controls=None,
        groups=None,
        baseline=original,
        references=references[1:],
        require_controls=False,
    )
    return least_shown(audit_documents(bare(references[0]), inputs, terms).found.known)


def _by_model(found: Found) -> dict[str, Sequence[AttackFinding]]:
    """Name the findings on the model, the original and each reference beside the others."""
    retrained = {f"retrained {k}": one for k, one in enumerate(found.rotations)}
    original = {} if found.known is None else {"original": found.known}
    return {"unlearned": found.findings, **original, **retrained}


def _distinct_models(inputs: TextInputs) -> list[Any]:
    """Return the references that answer otherwise than those before them."""
    kept: list[Any] = []
    for one in inputs.references:
        ours = inputs.answers(one)
        if not any(same_answers(ours, inputs.answers(other), mean_log_probability) for other in kept):
            kept.append(one)
    return kept


def _differ(inputs: TextInputs, references: Sequence[TextAnswers], terms: AucTerms) -> tuple[str, ...]:
    """Say how request and controls differ where references tell them apart."""
    losses = [-np.mean([mean_log_probability(getattr(a, side)) for a in references]) for side in ("forget", "controls")]
    return (
        blind_text_control(inputs, terms.limit, terms.confidence).summary,
        f"references lose {losses[0]:.2f} nats a token on the request and {losses[1]:.2f} on the controls",
    )


def _notes(inputs: TextInputs, references: Sequence[TextAnswers]) -> tuple[str, ...]:
    notes = reference_notes(
        len(references),
        len(inputs.references),
        bootstrapped=inputs.task is not None and inputs.task.bootstrapped,
        compared="documents",
    )
    if not inputs.twins:
        return notes
    return (*notes, SHOWN_BY_TWINS, *(() if references else (KNOWS_THE_WORLD,)))


def _most_exposed(inputs: TextInputs, finding: AttackFinding) -> tuple[Exposure, ...]:
    """List the documents that stand out most."""
    below = placements(finding.scores.forget, finding.scores.controls)[0]
    strangeness = 1 - below if finding.estimate.value < 0.5 else below
    order = np.argsort(-strangeness, kind="stable")[:MOST_EXPOSED]
    return tuple(Exposure(index=int(inputs.forget.indices[k]), percentile=float(below[k])) for k in order)
