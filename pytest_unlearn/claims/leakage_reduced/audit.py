"""Audit of how much is gone of what the original showed of the forget set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from pytest_unlearn.attacks.registry import Pairing
from pytest_unlearn.claims.common import advice
from pytest_unlearn.claims.common.attack_audit import AttackAudit, attack_evidence, audit_with_attacks
from pytest_unlearn.claims.common.conclusion import OnDemand
from pytest_unlearn.claims.common.controls import distinct
from pytest_unlearn.claims.common.evidence import AucTerms, resolve_all
from pytest_unlearn.claims.common.findings import AttackFinding, evaluate_attacks, is_coarse, labels_only
from pytest_unlearn.claims.common.inputs import resolve_inputs
from pytest_unlearn.claims.common.shadows import ONLINE, asks_online, check_online, with_shadows
from pytest_unlearn.claims.common.verdict import Decision, FailureKind, Wording, judge
from pytest_unlearn.core.evidence import Claim, Estimate, Evidence, reduction_of
from pytest_unlearn.core.figures import Cell, Table
from pytest_unlearn.core.settings import CONFIDENCE, MIN_REDUCTION, REQUIRE_CONTROLS
from pytest_unlearn.data.matching import Match
from pytest_unlearn.data.view import as_view
from pytest_unlearn.models.predict import Output, OutputKind, read_as
from pytest_unlearn.statistics import Measure

NO_LIMIT = 1.0  # on AUCs: the original says what is much
LEFT = FailureKind("too much is left", advice.LEAK["recognisable"])
WORDING = Wording(
    beyond="{label}: by {finding.name} it is certain that less than {limits.lowest:.0%} of what the original shows is "
    "gone",
    unsettled="by {finding.name} it is not certain that {limits.lowest:.0%} of what the original shows is gone",
)


def audit_leakage_reduced(
    model: Any,
    forget: Any,
    min_reduction: float = MIN_REDUCTION,
    *,
    nonmembers: Any = None,
    baseline: Any = None,
    references: Sequence[Any] | None = None,
    require_controls: bool = REQUIRE_CONTROLS,
    confidence: float = CONFIDENCE,
    match: Match = "inherit",
    output: Output = None,
    output_kind: OutputKind | None = None,
    attacks: str = "standard",
) -> Evidence:
    """Audit how much is gone of what the original showed of the forget set.

    With e = AUC - 1/2 of the same attack on the same examples, the reduction is 1 - |e(model)| / e(original): what the
    literature calls erasure completeness. It needs no limit on an AUC, and far fewer examples than one where the
    original shows the request plainly.

    Args:
        model: the unlearned model, of any kind `audit_forgotten` takes.
        forget: the forget view of an `UnlearningTask` or its loader; or a bare DataLoader or dataset together with
            `nonmembers=` and `baseline=`.
        min_reduction: the share of the original's excess over chance that has to be gone, above 0 and below 1. Perfect
            unlearning gives 1.
        nonmembers: examples no model was trained on, in place of the task's controls.
        baseline: the original model, in place of the task's.
        references: models retrained without the forget set, in place of the task's.
        require_controls: whether missing references make the verdict INCONCLUSIVE at best.
        confidence: of every one-sided bound.
        match: "class" compares within classes, None across; "propensity", a column, a callable or ("class", one of
            these) as in `Split`; the split's own rule by default.
        output: which entry of a dict or tuple output holds the logits.
        output_kind: "logits", "probabilities" or "log-probabilities"; told by range and sum if it is not given.
        attacks: "standard", or "online" for far sharper ones, which learn of shadow models that are trained with halves
            of the request (`UnlearningTask(shadow_models=)`).

    Returns:
        Evidence; its estimate is of the reduction by the attack that shows least of it. PASS needs its lower bound to
        be `min_reduction` by every deciding attack that recognises the original with certainty.

    Raises:
        ValueError: input that cannot be audited, or no original: there is nothing to compare with.

    Sources: DeLong 1988 and Fieller 1954 for the ratio; the claim is ours.
    """
    output = read_as(output, output_kind)
    online, others = asks_online(attacks)
    if others != "standard":
        raise ValueError(f'assert_leakage_reduced takes attacks="standard" or "{ONLINE}", not {attacks!r}.')
    if online:
        given = any(one is not None for one in (nonmembers, baseline, references))
        check_online(model, as_view(forget, "forget"), given=given)
    sources, values = resolve_all(min_reduction=min_reduction, confidence=confidence, require_controls=require_controls)
    least, confidence, require_controls = values
    inputs = resolve_inputs(
        forget,
        nonmembers=nonmembers,
        baseline=baseline,
        references=references,
        match=match,
        output=output,
        require_controls=require_controls,
        audited=(model,),
    )
    if inputs.original is None:
        raise ValueError(
            "assert_leakage_reduced compares with the original model: pass baseline=, or give the task original= or a "
            "recipe. Without one, assert_forgotten can still say whether anything is recognised."
        )
    claim = Claim(name="leakage_reduced", quantity="leakage reduction", lowest=least, sources=sources)
    terms = AucTerms(NO_LIMIT, confidence, require_controls, round(1 - least, 12), sources)
    inputs = with_shadows(inputs) if online else inputs
    pairing = inputs.pairing
    run = partial(evaluate_attacks, pairing=pairing, confidence=confidence, standard=False, shadows=inputs.shadows)
    # Power against finer answers than the model's would say nothing of these.
    original = replace(inputs.answers(inputs.original), channel=inputs.answers(model))
    retrained = distinct([inputs.answers(one) for one in inputs.references])
    reduced = ReducedBy(
        claim,
        pairing,
        in_full=OnDemand(lambda: run(original, retrained)),
        as_labels=OnDemand(lambda: run(labels_only(original), retrained)),
    )
    audit = audit_with_attacks(
        model,
        inputs,
        run,
        terms,
        on_original=lambda _original, _references, findings: (reduced.known(findings), _WHAT),
        judge_by=reduced,
    )
    known = {one.name: one for one in reduced.known(audit.findings)}
    shown = reductions(audit.findings, known, pairing, confidence)
    evidence = attack_evidence(
        replace(audit, findings=shown),
        name=claim.name,
        quantity=claim.quantity,
        figures=(_table(audit, known, pairing),),
        own_original=baseline is None,
        own_references=references is None,
    )
    return replace(evidence, claim=claim)


_WHAT = "the forget set is"


@dataclass(frozen=True)
class ReducedBy:
    """Judge findings by how much of the original's, seen as coarsely, is gone."""

    claim: Claim
    pairing: Pairing
    in_full: OnDemand[Sequence[AttackFinding]]
    as_labels: OnDemand[Sequence[AttackFinding]]

    def known(self, findings: Sequence[AttackFinding]) -> Sequence[AttackFinding]:
        """Return what is found in the original, in labels if these show no more."""
        return self.as_labels() if is_coarse(findings) else self.in_full()

    def __call__(self, findings: Sequence[AttackFinding], confidence: float, **_: Any) -> Decision[AttackFinding]:
        """Judge one model's findings."""
        known = {one.name: one for one in self.known(findings)}
        found = reductions(findings, known, self.pairing, confidence)
        return judge(found, self.claim, confidence, wording=WORDING)


@dataclass(frozen=True, slots=True)
class Reduction:
    """Measure 1 - the share left of what an attack shows in the original."""

    share: Measure

    @property
    def value(self) -> float:
        """The reduction: 1 under perfect unlearning, 0 for the original."""
        return 1.0 - self.share.value

    def at(self, confidence: float) -> Estimate:
        """Bound it, each side at this confidence."""
        return reduction_of(self.share.at(confidence))


def _reduction(audited: AttackFinding, original: AttackFinding, pairing: Pairing) -> Reduction:
    return Reduction(original.attack.share(audited.scores, original.scores, pairing))


def reductions(
    findings: Sequence[AttackFinding], known: dict[str, AttackFinding], pairing: Pairing, confidence: float
) -> tuple[AttackFinding, ...]:
    """Turn what attacks find into how much of the original's finding is gone.

    Signed attacks that recognise the original decide, or all where none does; deviations that do can only FAIL, or
    object where so many examples would acquit an honest model by them (see `power_check`).
    """
    pairs = [(one, known[one.name]) for one in findings if one.deciding and one.name in known]
    seen = [(one, other) for one, other in pairs if not other.problem and other.estimate.low > 0.5]
    chosen = [pair for pair in seen if pair[0].attack.signed] or [pair for pair in pairs if pair[0].attack.signed]
    chosen += [pair for pair in seen if not pair[0].attack.signed]
    found = []
    for one, other in chosen:
        measure = _reduction(one, other, pairing)
        found.append(
            replace(
                one,
                measure=measure,
                estimate=measure.at(confidence),
                failures={"low": LEFT},
                role="decides" if one.attack.signed else "tripwire",
                one_sided=False,
            )
        )
    return tuple(found)


def _table(audit: AttackAudit, known: dict[str, AttackFinding], pairing: Pairing) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for one in audit.findings:
        if one.name in known and one.deciding:
            gone = _reduction(one, known[one.name], pairing).at(audit.terms.confidence)
            values = (known[one.name].estimate.value, one.estimate.value, gone.value, gone.low, gone.high)
            rows.append((one.name, *(round(value, 4) for value in values)))
    return Table(
        title="How much is gone",
        caption="AUC with which each attack tells the forget set from controls in the original and in this model, and "
        "the share of the original's excess over 0.5 that is gone; 1 under perfect unlearning.",
        columns=("attack", "original", "this model", "reduction", "low", "high"),
        rows=tuple(rows),
    )
