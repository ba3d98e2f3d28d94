"""Ask the original how plainly it shows the request, where it is there already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_unlearn.cli.console import plural
from pytest_unlearn.core.settings import CONFIDENCE

if TYPE_CHECKING:
    from pytest_unlearn.cli.plan.collect import Inputs
    from pytest_unlearn.task import UnlearningTask


def asked_original(inputs: Inputs) -> tuple[float | None, str]:
    """Return the AUC by the attack that shows the original least, and a line on it.

    Nothing is trained: the original is one that was handed over or that the cache holds, and so are the references.
    """
    original, references = models_there(inputs)
    if original is None:
        return None, "original asked: no, it is neither handed over nor in the cache"
    if not references and inputs.task.recipe is not None and inputs.task.has_references:
        # Alone it seems to remember far less: a weak answer now would send people to collect more data.
        return None, "original asked: not yet, as no retrained model is in the cache: run `pytest` once, then ask again"
    auc = recognised(inputs.task, original, references)
    beside = f"beside {plural(len(references), 'retrained model')}"
    if not references:
        beside = "without a retrained model beside it, with which an audit recognises more"
    if auc is None:
        return None, f"original asked {beside}: no attack tells anything of its answers"
    return auc, f"original asked {beside}: recognised with an AUC of {auc:.2f} by the attack that shows it least"


def recognised(task: UnlearningTask, original: Any, references: Sequence[Any]) -> float | None:
    """Compute with which AUC an audit would recognise the request in the original."""
    from pytest_unlearn.claims.common.conclusion import least_shown
    from pytest_unlearn.claims.text.forgotten import original_shown
    from pytest_unlearn.data.text.split import TextSplit

    if isinstance(task.split, TextSplit):
        return original_shown(task, original, references)
    from pytest_unlearn.claims.common.controls import distinct
    from pytest_unlearn.claims.common.findings import evaluate_attacks
    from pytest_unlearn.claims.common.inputs import resolve_inputs

    inputs = resolve_inputs(
        task.forget,
        nonmembers=None,
        baseline=original,
        references=references,
        match="inherit",
        output=None,
        require_controls=False,
    )
    others = distinct([inputs.answers(one) for one in inputs.references])
    seen = replace(inputs.answers(original), channel=others[0] if others else None)  # as beside a perfect method
    found = evaluate_attacks(seen, others, inputs.pairing, float(CONFIDENCE), standard=False)
    return least_shown(found)


def models_there(inputs: Inputs) -> tuple[Any, list[Any]]:
    """Find original and references, handed over or in the cache."""
    task = inputs.task
    given = [] if isinstance(task.references, int) else list(task.references)
    original, references = inputs.original, list(given if inputs.references is None else inputs.references)
    if original is None and task.has_original and task.recipe is None:
        original = task.original
    for job in () if task.recipe is None else task.jobs():
        found = task.stored(job)
        if found is None:
            continue
        if job.dataset.name != "train":
            references.append(found)
        elif original is None:
            original = found
    return original, references
