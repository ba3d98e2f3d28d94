"""Audit of hidden layers: their features, beside retrained models'."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from pytest_unlearn.attacks.registry import LEAST_EXAMPLES, Attack
from pytest_unlearn.claims.common.attack_audit import (
    AttackAudit,
    attack_evidence,
    audit_with_attacks,
    finding_rows,
    run_chosen,
)
from pytest_unlearn.claims.common.evidence import auc_terms
from pytest_unlearn.claims.common.inputs import (
    AuditInputs,
    check_task,
    evenly_spaced,
    removed_classes,
    resolve_task_inputs,
)
from pytest_unlearn.claims.common.verdict import Objection, doubt
from pytest_unlearn.claims.features.probe_attacks import class_probe, label_probe, membership_probe
from pytest_unlearn.claims.features.probe_queries import (
    CLASS_SHOTS,
    ClassProbe,
    LabelProbe,
    LabelsByFeatures,
    MembershipProbe,
)
from pytest_unlearn.core.evidence import Evidence
from pytest_unlearn.core.figures import Table
from pytest_unlearn.core.settings import CONFIDENCE, MAX_MIA_AUC, MAX_SHARE_LEFT, REQUIRE_CONTROLS
from pytest_unlearn.models.acceptance import check_model
from pytest_unlearn.models.layers import check_layers, find_layers, share_following
from pytest_unlearn.models.predict import Output, OutputKind, read_as
from pytest_unlearn.models.query import Query
from pytest_unlearn.task import UnlearningTask, View

CALLER = "assert_features_forgotten"
FOLLOWING = 0.7  # of the share of labels that follow exchanged features in retrained models
SHOW_LAYERS = "hand over the network that answers, without branches beside its layers, or name the layers it answers by"


def audit_features_forgotten(
    model: Any,
    forget: Any,
    max_mia_auc: float = MAX_MIA_AUC,
    *,
    layers: Sequence[str] | None = None,
    require_controls: bool = REQUIRE_CONTROLS,
    confidence: float = CONFIDENCE,
    output: Output = None,
    output_kind: OutputKind | None = None,
    max_share_left: float = MAX_SHARE_LEFT,
) -> Evidence:
    """Audit whether features tell no more of the forget set than retrained ones.

    Few-shot linear probes on what enters each layer: of labels (on forget examples and controls alike, so that what
    generalisation explains cancels), of membership, and of each class that was removed as a whole (on all its
    examples, also those never trained on). The probes of the last layer decide, those of others are tripwires.
    What a masked last layer or a filter of the logits hides is found here.

    Args:
        model: the unlearned model, an `nn.Module` of the references' architecture (perhaps behind a wrapper).
        forget: the forget view of an `UnlearningTask` or its loader; the task gives original, references and shots.
        max_mia_auc: the largest AUC, beyond what references explain, that is tolerated, between 0.5 and 1, and
            1 - max_mia_auc the smallest. Perfect unlearning gives 0.5.
        layers: names of modules, whose outputs are probed; by default what enters up to four layers, evenly spaced.
        require_controls: whether a missing control makes the verdict INCONCLUSIVE at best.
        confidence: of every one-sided bound.
        output: which entry of a dict or tuple output holds the logits.
        output_kind: "logits", "probabilities" or "log-probabilities"; told by range and sum if it is not given.
        max_share_left: the largest share of the original's excess over chance that PASS may leave, above 0 and below 1,
            by every deciding attack that recognises the original.

    Returns:
        Evidence with verdict PASS, FAIL, INCONCLUSIVE or INVALID.

    Raises:
        ValueError: a forget set without a task, a task without references, models that are no `nn.Module`, of one layer
            only, or of different architectures, or an unknown layer.

    Source: Golatkar et al. 2020 and Goel et al. 2022 for the readout; Hu et al. 2024, "Jogging the memory", for why.
    """
    output = read_as(output, output_kind)
    terms = auc_terms(max_mia_auc, confidence, require_controls, max_share_left)
    check_model(model)
    check_task(forget, CALLER)
    check_layers(model, layers)
    inputs = resolve_task_inputs(model, forget, output, terms.require_controls, CALLER)
    assert inputs.task is not None
    names = find_layers(inputs.references[0], inputs.forget, layers)
    deciding, tripwires = _probes(inputs, inputs.task, names)
    inputs, run, fewest = run_chosen(deciding, tripwires, inputs, terms.confidence)
    doubts = partial(_answers_elsewhere, model, inputs, names[-1], output)
    audit = audit_with_attacks(model, inputs, run, terms, fewest_references=fewest, doubts=doubts)
    return attack_evidence(
        audit,
        name="features_forgotten",
        quantity="AUC of probes beyond retrained models",
        figures=(_table(audit),),
        layers=list(names),
    )


def _answers_elsewhere(model: Any, inputs: AuditInputs, layer: str, output: Output) -> list[Objection]:
    """Doubt that the probed features are those behind the model's answers."""
    query, some = Query(name="labels by features", ask=LabelsByFeatures(layer)), evenly_spaced(inputs.controls)
    ours, *others = (
        share_following(inputs.models.of(one).ask(query, some, output)) for one in (model, *inputs.references)
    )
    usual = min(others)
    if ours >= FOLLOWING * usual:
        return []
    reason = (
        f"the probed features are not what the model answers by: given another example's features {layer}, it gives "
        f"that example's label in {ours:.0%} of cases, retrained models in {usual:.0%} or more"
    )
    return [doubt(reason, SHOW_LAYERS)]


def _probes(inputs: AuditInputs, task: UnlearningTask, names: tuple[str, ...]) -> tuple[list[Attack], list[Attack]]:
    gone = removed_classes(task)
    went = np.isin(inputs.forget.labels, gone), np.isin(inputs.controls.labels, gone)
    partly = bool(went[0].any()) and not went[0].all()
    stayed = (~went[0], ~went[1]) if partly else None
    whole = bool(went[0].all() and went[1].all())
    deciding: list[Attack] = []
    tripwires: list[Attack] = []
    labels = Query(name="label probes", ask=LabelProbe(names, task.retain))
    if not went[0].all():
        for number, name in enumerate(names):
            signed, deviation = label_probe(labels, number, name, stayed)
            (deciding if number == len(names) - 1 else tripwires).append(signed)
            tripwires.append(deviation)
    others = _others(task, gone)
    if len(gone) and others is not None:
        class_view = View("forget", inputs.forget.examples, inputs.forget.indices[went[0]], task)
        query = Query(name="class probes", ask=ClassProbe(names, class_view, others))
        for number, name in enumerate(names):
            (deciding if number == len(names) - 1 else tripwires).append(
                class_probe(query, number, name, None if whole else went)
            )
    if not deciding:
        raise ValueError(
            "no probe can be judged: the forget set is a whole class, and there are too few test examples of other "
            f"classes to tell it from. Give the split a test set with more than {CLASS_SHOTS} examples of each class."
        )
    if min(inputs.sizes) >= LEAST_EXAMPLES:
        for name in names:
            ask = MembershipProbe(name, inputs.forget, inputs.controls, inputs.pairing, names)
            tripwires.append(membership_probe(Query(name=f"membership {name}", ask=ask), name))
    return deciding, tripwires


def _others(task: UnlearningTask, gone: np.ndarray[Any, Any]) -> View | None:
    """Return never-trained examples of the classes that stay."""
    chosen = np.flatnonzero(~np.isin(task.test.labels, gone))
    few = not len(chosen) or np.unique(task.test.labels[chosen], return_counts=True)[1].max() <= CLASS_SHOTS
    return None if few else View("test", task.test.examples, task.test.indices[chosen], task)


def _table(audit: AttackAudit) -> Table:
    original, power = audit.concluded.controls.original, ""
    if original is not None:
        power = f" In the original, {original.attack} gives {original.estimate.value:.3f}."
    return Table(
        title="Layer by layer",
        caption="AUC of few-shot linear probes of the layers' features, beyond what the features of "
        f"{len(audit.references)} retrained models explain; 0.5 under perfect unlearning.{power}",
        columns=("probe", "role", "AUC", "low", "high"),
        rows=finding_rows(audit.findings),
    )
