"""Audit of residuals: in changed copies of the model and moved inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from pytest_unlearn.attacks.attack import auc_of_scores
from pytest_unlearn.attacks.registry import Attack
from pytest_unlearn.attacks.signals import hinge_margin, logit_scaled_confidence, remembered
from pytest_unlearn.attacks.thresholds import reference_residual, residual_deviation
from pytest_unlearn.claims.common.attack_audit import (
    AttackAudit,
    attack_evidence,
    audit_with_attacks,
    finding_rows,
    run_chosen,
)
from pytest_unlearn.claims.common.evidence import auc_terms
from pytest_unlearn.claims.common.inputs import check_task, resolve_task_inputs
from pytest_unlearn.claims.residual.input_changes import Mirrored, Shifted, is_images
from pytest_unlearn.claims.residual.weight_changes import (
    BenignEpochs,
    Change,
    HeadReset,
    Pruned,
    RoundedWeights,
    Weakened,
)
from pytest_unlearn.core.evidence import Answers, Evidence, FloatArray, Outputs
from pytest_unlearn.core.figures import Cell, Table
from pytest_unlearn.core.settings import CONFIDENCE, MAX_MIA_AUC, MAX_SHARE_LEFT, REQUIRE_CONTROLS
from pytest_unlearn.data.view import View, as_view
from pytest_unlearn.models.acceptance import check_model
from pytest_unlearn.models.layers import shows_weights
from pytest_unlearn.models.predict import Output, OutputKind, read_as
from pytest_unlearn.models.queries import Augmentations, Noise
from pytest_unlearn.models.query import Query
from pytest_unlearn.task import UnlearningTask

Neighbour = Callable[[Any, np.random.Generator], Any]
CALLER = "assert_no_residual"
QUERIES = 3  # neighbours of each example
CHANGES: Mapping[str, Change] = {
    "8-bit weights": RoundedWeights(8),
    "4-bit weights": RoundedWeights(4),
    "a third of the weights pruned": Pruned(1 / 3),
    "a new head": HeadReset(),
    "one benign epoch": BenignEpochs(),
}
"""What is done to the weights of the audited model and of each reference before they are asked again."""


def audit_no_residual(
    model: Any,
    forget: Any,
    max_mia_auc: float = MAX_MIA_AUC,
    *,
    neighbours: Mapping[str, Neighbour] | None = None,
    changes: Mapping[str, Change] | None = None,
    require_controls: bool = REQUIRE_CONTROLS,
    confidence: float = CONFIDENCE,
    output: Output = None,
    output_kind: OutputKind | None = None,
    max_share_left: float = MAX_SHARE_LEFT,
) -> Evidence:
    """Audit whether the forget set is unrecognisable nearby and in changed copies too.

    The attacks of `assert_forgotten` on neighbours of all examples and on weakened copies of the model, each against
    references that were asked about the same neighbours or weakened in the same way. What a filter hides of exactly the
    forget inputs, and what fine weights hide, comes back. Of many controls 2,000 are asked, or twice the forget set.

    Args:
        model: the unlearned model. Only neighbours are asked of what shows no weights.
        forget: the forget view of an `UnlearningTask` or its loader.
        max_mia_auc: the largest AUC, beyond what references explain, that is tolerated, between 0.5 and 1, and
            1 - max_mia_auc the smallest. Perfect unlearning gives 0.5.
        neighbours: named ways of moving inputs, `augment(batch, rng) -> batch`, such as crops of your own or a
            paraphrase; by default Gaussian noise, and for images shifts and mirror images.
        changes: named changes, `change(copy, retain, *, seed)`, in place or returning a model; by default rounding to 8
            and to 4 bits, pruning, a new head trained on retain, and one epoch on retain. {} leaves them out.
        require_controls: whether a missing control makes the verdict INCONCLUSIVE at best.
        confidence: of every one-sided bound.
        output: which entry of a dict or tuple output holds the logits.
        output_kind: "logits", "probabilities" or "log-probabilities"; told by range and sum if it is not given.
        max_share_left: the largest share of the original's excess over chance that PASS may leave, above 0 and below 1,
            by every deciding attack that recognises the original.

    Returns:
        Evidence with verdict PASS, FAIL, INCONCLUSIVE or INVALID; a table gives the residual-knowledge ratio, the share
        of neighbours that get their original's label by this model over that by references, 1 if forgotten.

    Raises:
        ValueError: a forget set without a task, a task without references, or inputs that cannot be moved.

    Sources: Hsu et al. 2025, "Unlearned but not forgotten" (residual knowledge); Zhang et al. 2024 (rounding); Hu et
        al. 2024 (benign training); Goel et al. 2022 (heads).
    """
    output = read_as(output, output_kind)
    _check_named("neighbours", neighbours, "augment(batch, rng) -> batch")
    _check_named("changes", changes, "change(copy, retain, *, seed)")
    if neighbours is not None and not neighbours and changes is not None and not changes:
        raise ValueError("nothing to try: neighbours={} and changes={} leave out everything.")
    terms = auc_terms(max_mia_auc, confidence, require_controls, max_share_left)
    check_model(model)
    check_task(forget, CALLER)
    near = _queries(as_view(forget, "forget"), neighbours)
    inputs = resolve_task_inputs(model, forget, output, terms.require_controls, CALLER).with_fewer_controls()
    assert inputs.task is not None
    weak = _changed(inputs.task, model, _usual_changes(output) if changes is None else changes)
    deciding: list[Attack] = []
    tripwires: list[Attack] = []
    for query in (*near, *weak):
        signed, *others = _attacks(query)
        deciding.append(signed)
        tripwires += others
    if not deciding:
        raise ValueError("nothing to try: neighbours={} and changes={} leave out everything.")
    inputs, run, fewest = run_chosen(deciding, tripwires, inputs, terms.confidence)
    audit = audit_with_attacks(model, inputs, run, terms, fewest_references=fewest)
    return attack_evidence(
        audit,
        name="no_residual",
        quantity="membership AUC near the forget set and in weakened copies",
        figures=(_table(audit), *_ratios(audit, near)),
        neighbours=[query.name for query in near],
        changes=[query.name for query in weak],
    )


def _check_named(name: str, given: Any, called: str) -> None:
    """Refuse what is no mapping from names to functions; TypeError."""
    if given is None:
        return
    functions = given.values() if isinstance(given, Mapping) else [None]
    if not all(callable(function) and not isinstance(function, type) for function in functions):
        raise TypeError(f"{name}= takes a mapping from names to functions `{called}`, not {given!r}.")


def _queries(forget: View, neighbours: Mapping[str, Neighbour] | None) -> list[Query]:
    chosen = dict(neighbours) if neighbours is not None else _usual(forget)
    return [
        Query(name=f"near: {name}", ask=Augmentations(augment=augment, queries=QUERIES))
        for name, augment in chosen.items()
    ]


def _usual(forget: View) -> dict[str, Neighbour]:
    some = forget.inputs(np.arange(min(2, len(forget))))
    if np.asarray(some).dtype.kind not in "f":
        raise ValueError(
            "inputs are not numbers that noise can move (tokens? bytes?): pass neighbours={'paraphrase': function}, "
            "`function(batch, rng) -> batch`, or neighbours={} to leave them out."
        )
    images: dict[str, Neighbour] = {"shifted": Shifted(), "mirrored": Mirrored()} if is_images(some) else {}
    return {"noise": Noise(0.1), **images}


def _usual_changes(output: Output) -> dict[str, Change]:
    """Return the usual changes, trained further with this entry as the logits."""
    return {
        name: replace(change, output=output) if isinstance(change, (HeadReset, BenignEpochs)) else change
        for name, change in CHANGES.items()
    }


def _changed(task: UnlearningTask, model: Any, changes: Mapping[str, Change]) -> list[Query]:
    if not all(shows_weights(one) for one in (model, *task.retrained)):
        return []
    return [Query(name=name, ask=Weakened(change, task.retain)) for name, change in changes.items()]


def _attacks(query: Query) -> tuple[Attack, Attack, Attack]:
    confidence, margin = (
        remembered(partial(_mean_of, query.name, signal)) for signal in (logit_scaled_confidence, hinge_margin)
    )
    declare = partial(
        Attack,
        measure=auc_of_scores,
        access=("further queries", "references"),
        least_references=1,
        queries=(query,),
        cost="further outputs of every model, or of a changed copy of it",
        calibrated=True,
        source="Hsu et al. 2025; Zhang et al. 2024; the residual is ours",
    )
    return (
        declare(name=query.name, score=partial(reference_residual, confidence)),
        declare(name=f"{query.name}, deviation", score=partial(residual_deviation, confidence), signed=False),
        declare(name=f"{query.name}, margin", score=partial(reference_residual, margin)),
    )


def _mean_of(name: str, signal: Callable[[Outputs], FloatArray], outputs: Outputs) -> FloatArray:
    """Apply the signal to a query's answers, averaged over several rounds."""
    logits = outputs.asked[name]
    rounds = [logits] if logits.ndim == 2 else [logits[:, number] for number in range(logits.shape[1])]
    return np.asarray(np.mean([signal(Outputs(logits=one, labels=outputs.labels)) for one in rounds], axis=0))


def _table(audit: AttackAudit) -> Table:
    return Table(
        title="What was tried",
        caption="AUC with which the forget set is told from controls, beyond what references explain that were asked "
        "or changed in the same way; 0.5 under perfect unlearning.",
        columns=("attempt", "role", "AUC", "low", "high"),
        rows=finding_rows(audit.findings),
    )


def _ratios(audit: AttackAudit, near: list[Query]) -> tuple[Table, ...]:
    rows: list[tuple[Cell, ...]] = []
    for query in near:
        ours = _kept_label(query.name, audit.target)
        theirs = [_kept_label(query.name, one) for one in audit.others]
        if theirs and np.mean(theirs) > 0:
            usual = float(np.mean(theirs))
            rows.append((query.name, *(round(v, 4) for v in (ours, usual, ours / usual, min(theirs), max(theirs)))))
    if not rows:
        return ()
    table = Table(
        title="Residual knowledge",
        caption="The share of forget examples' neighbours that get the example's label, by this model and by retrained "
        "ones, and the ratio of the two: 1 if forgotten, above it if knowledge is left around the examples.",
        columns=("neighbours", "this model", "retrained", "ratio", "lowest retrained", "highest retrained"),
        rows=tuple(rows),
    )
    return (table,)


def _kept_label(name: str, answers: Answers) -> float:
    return float((answers.forget.asked[name].argmax(axis=2) == answers.forget.labels[:, None]).mean())
