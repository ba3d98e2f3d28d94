"""Availability of the caller's attacks, settled before any model is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pytest_unlearn.attacks.registry import Attack
from pytest_unlearn.claims.common.inputs import AuditInputs
from pytest_unlearn.data.dataset import to_numpy
from pytest_unlearn.data.view import View
from pytest_unlearn.models.adapters import SavedOutputs, is_module

LATER = 1 << 30  # references whose number nobody knows yet


def check_attainable(attacks: Sequence[Attack], model: Any, forget: View, references: Any, baseline: Any) -> None:
    """Refuse attacks that lack what is known before anything is trained.

    Raises:
        ValueError: as in `available_attacks`.
    """
    task = forget.task
    count = len(references) if isinstance(references, (list, tuple)) else LATER
    if references is None:
        count = 0 if task is None or not task.has_references else _count(task.references)
    there = baseline is not None or (task is not None and task.has_original)
    for attack in attacks:
        if why := _lacking(attack, count, original=there, models=[model]):
            raise _cannot(attack.name, why)


def _count(references: Any) -> int:
    return references if isinstance(references, int) else len(references)


def _cannot(name: str, why: str) -> ValueError:
    return ValueError(f"the attack {name!r} cannot be run: {why}. Leave it out of attacks=, or provide that.")


def available_attacks(
    attacks: Sequence[Attack], inputs: AuditInputs, model: Any, *, insist: bool
) -> tuple[tuple[Attack, ...], dict[str, str]]:
    """Return the attacks that can be run, and what the others lack, by name.

    Raises:
        ValueError: with `insist`, when one cannot be run.
    """
    missing = {attack.name: why for attack in attacks if (why := _missing(attack, inputs, model))}
    if insist and missing:
        name, why = next(iter(missing.items()))
        raise _cannot(name, why)
    able = [attack for attack in attacks if attack.name not in missing]
    if not insist:  # what the model cannot answer for two examples is left out, not an error
        missing |= {attack.name: why for attack in able if (why := _refused(attack, inputs, model))}
    return tuple(attack for attack in able if attack.name not in missing), missing


def _refused(attack: Attack, inputs: AuditInputs, model: Any) -> str:
    few = View(inputs.forget.name, inputs.forget.examples, inputs.forget.indices[:2])
    try:
        for query in attack.queries:
            inputs.models.of(model).ask(query, few, inputs.output)
    except Exception as error:  # whatever the model raises, it cannot be asked
        return f"the model cannot be asked: {error}".split("\n")[0]
    return ""


def _integers(inputs: AuditInputs) -> bool:
    return bool(to_numpy(inputs.forget.inputs(np.arange(1))).dtype.kind != "f")


def _lacking(attack: Attack, references: int, *, original: bool, models: Sequence[Any]) -> str:
    """Say what an attack lacks of models; empty if nothing."""
    if references < attack.least_references:
        return f"it needs {attack.least_references} references or more, and there are {references}"
    if "original" in attack.access and not original:
        return "it needs the original model"
    if "weights" in attack.access and not all(is_module(one) for one in models):
        return "it needs the weights of an nn.Module, from the audited model, the original and every reference"
    if {"further queries", "weights"} & set(attack.access) and any(isinstance(one, SavedOutputs) for one in models):
        return "it asks models about further inputs, and SavedOutputs has answers to the audited ones alone"
    return ""


def _missing(attack: Attack, inputs: AuditInputs, model: Any) -> str:
    models = [model, *inputs.references, *([inputs.original] if inputs.original is not None else [])]
    lacking = _lacking(attack, len(inputs.references), original=inputs.original is not None, models=models)
    if lacking:
        return lacking
    if any(getattr(query.ask, "continuous", False) for query in attack.queries) and _integers(inputs):
        return "it moves inputs by fractions, and these are integers: give it an augmentation of your own"
    if "retain set" in attack.access and (
        inputs.task is None or any(isinstance(one, SavedOutputs) and "retain" not in one.parts for one in models)
    ):
        return "it needs every model's outputs on the retain set, which only a task has"
    groups = inputs.pairing.forget_groups, inputs.pairing.control_groups
    sides = zip(groups, (len(inputs.forget), len(inputs.controls)), strict=True)
    fewest = min(size if ids is None else len(np.unique(ids)) for ids, size in sides)
    if fewest < attack.least_examples:
        return f"it learns from examples: {attack.least_examples} or more a side, and there are {fewest}"
    return ""
