"""Audit of a release: every claim of a policy, with evaluations shared.

A claim that a model does not let itself be asked is INCONCLUSIVE: nothing was shown, and that is no PASS.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pytest_unlearn.claims.canaries.planting import Canaries
from pytest_unlearn.claims.canaries.text.planting import TextCanaries
from pytest_unlearn.claims.common import attack_audit  # noqa: F401 - what most claims need is loaded before they run
from pytest_unlearn.claims.common.provenance import provenance
from pytest_unlearn.claims.policies import NEEDS, POLICIES, TEXT_POLICIES, Policy, Step
from pytest_unlearn.core.claim_table import TABLE
from pytest_unlearn.core.evidence import Claim, Estimate, Evidence, Verdict
from pytest_unlearn.core.release_files import hash_files
from pytest_unlearn.core.settings import TABLE as SETTINGS
from pytest_unlearn.core.settings import resolve
from pytest_unlearn.core.table_view import TableView
from pytest_unlearn.models.acceptance import check_model
from pytest_unlearn.models.adapters import is_module
from pytest_unlearn.models.layers import SingleLayerError, find_layers, shows_weights
from pytest_unlearn.models.predict import Output, read_as
from pytest_unlearn.models.text.adapters import bare, check_language_model, encoder_of
from pytest_unlearn.task import UnlearningTask
from pytest_unlearn.training.signatures import check_unlearner

AUDITS: Mapping[str, Callable[..., Evidence]] = TableView(
    lambda: {name: spec.audit() for name, spec in TABLE.items() if spec.in_policies}
)
"""The audits of claims that a policy may require."""
OWN = {
    "model",
    "forget",
    "test",
    "task",
    "unlearner",
    "canaries",
    "nonmembers",
    "references",
    "original",
    "match",
    "baseline",
    "documents",
    "controls",
    "groups",
}
"""Parameters that a claim is given by the release, or that would mean another thing to another claim."""
MODEL_CANNOT = (ValueError, TypeError, RuntimeError, IndexError, NotImplementedError, AttributeError)


def audit_release(
    model: Any,
    task: UnlearningTask,
    policy: str | Policy = "standard",
    *,
    unlearner: Any = None,
    canaries: Any = None,
    files: Iterable[Any] = (),
    **settings: Any,
) -> dict[str, Evidence]:
    """Audit every claim of a release policy about one model.

    Args:
        model: the unlearned model, of any kind `audit_forgotten` takes.
        task: the deletion request, with references or a recipe.
        policy: "quick", "standard", "thorough" (`pytest --unlearn-policies` lists them), or a `Policy` of your own. Of
            documents, a task of a `TextSplit`, these ask claims about documents.
        unlearner: the method, for claims about it.
        canaries: what `plant_canaries`, or `plant_text_canaries`, gave before training, if canaries were planted.
        files: paths of the files that hold this model and are released with it; their SHA-256 are part of the evidence,
            of the report, and the subjects of its attestation.
        **settings: passed to every claim that has such a keyword: max_mia_auc, max_drop, max_gap, max_fraction,
            runs, confidence, require_controls, output, ... A policy's own keywords win.

    Returns:
        The evidence of each claim by its name. Claims whose needs are not there are left out (see the policy); one that
        cannot be asked of this very model (which shows no weights, or has other layers) is INCONCLUSIVE, and says why.
        A release is proven where each is `proven`: PASS, or, if the policy does not require it, not testable here.

    Raises:
        ValueError: an unknown policy or setting, a policy that needs `unlearner=`, one of which nothing can be judged
            here, a task without references, or a release file that is missing, empty or of another's name.
    """
    of_text = getattr(task, "kind", "") == "text"
    (check_language_model if of_text else check_model)(model)
    if not isinstance(task, UnlearningTask):
        raise ValueError("assert_release judges a model by its task: build an UnlearningTask and pass it.")
    if unlearner is not None:
        check_unlearner(unlearner)
    if canaries is not None and not isinstance(canaries, TextCanaries if of_text else Canaries):
        planted = "plant_text_canaries(documents, ...)" if of_text else "plant_canaries(train, kind=...)"
        raise TypeError(f"canaries must come from {planted}, not be {type(canaries).__name__}.")
    released = hash_files(files, Path.cwd()).rows()
    chosen = _policy(policy, of_text)
    _check(chosen, settings, unlearner, of_text)
    if not task.has_references:
        raise ValueError("a release is judged by retrained models: give the task a recipe, or references=[models].")
    found: dict[str, Evidence] = {}
    with task.models.shared():
        # One that cannot be audited costs no training.
        asked_first, views = task.models.for_audit(), (task.forget, task.controls)
        if of_text:
            encoder = encoder_of(model, task, settings.get("tokenizer"), settings.get("max_length"))
            asked_first.of(bare(model)).token_scores(views, encoder)
        else:
            asked_first.answers(model, views, _reading(settings))
        steps = _steps(chosen, task, canaries)
        asked = {step.claim for step in steps if step.required}
        for step in steps:
            evidence = _run(step, model, task, unlearner, canaries, _keywords(step, settings))
            if evidence is not None:
                required = step.required and TABLE[step.claim].replaced_by not in asked
                known = {**evidence.provenance, "files": released} if released else evidence.provenance
                found[step.claim] = replace(evidence, required=required, provenance=known)
    if not found:
        raise ValueError(
            f"no claim of policy {chosen.name!r} can be judged here ({_needs(chosen)}), and a release that nothing was "
            "asked of is not proven: choose another policy."
        )
    return found


def _reading(settings: Mapping[str, Any]) -> Output:
    """Return which entry of an answer is judged, and as what."""
    return read_as(settings.get("output"), settings.get("output_kind"))


def _policy(policy: str | Policy, of_text: bool) -> Policy:
    """Look up a policy by its name, among those of the task's kind."""
    if isinstance(policy, Policy):
        return policy
    if not isinstance(policy, str) or policy not in POLICIES:
        raise ValueError(
            f"there is no policy {policy!r}; there are {', '.join(POLICIES)}, or pass a Policy of your own."
        )
    return (TEXT_POLICIES if of_text else POLICIES)[policy]


def _check(policy: Policy, settings: Mapping[str, Any], unlearner: Any, of_text: bool) -> None:
    """Refuse what cannot work before any model is trained."""
    if not isinstance(policy.steps, (tuple, list)) or not all(isinstance(step, Step) for step in policy.steps):
        raise TypeError(f"policy {policy.name!r}: steps is a tuple of Step(claim=..., says=...), not {policy.steps!r}.")
    if not policy.steps:
        raise ValueError(
            f"policy {policy.name!r} names no claim, and a release that nothing was asked of is not proven."
        )
    claims = [step.claim for step in policy.steps]
    kind = "text" if of_text else "examples"
    there = [
        name
        for name, spec in TABLE.items()
        if spec.needs == "canaries" or (spec.of == kind and (of_text or spec.in_policies))
    ]
    foreign = [claim for claim in claims if claim not in there]
    if foreign:
        raise ValueError(f"policy {policy.name!r} names no claim {foreign[0]!r}; claims are {', '.join(there)}.")
    twice = [claim for number, claim in enumerate(claims) if claim in claims[:number]]
    if twice:
        raise ValueError(
            f"policy {policy.name!r} names the claim {twice[0]!r} twice, but evidence is kept by claim: make two "
            "policies of it, or one step with the stricter keywords."
        )
    for step in policy.steps:
        foreign = sorted(set(step.keywords) - (_parameters(step.claim) | {"baseline"}))
        if foreign or step.needs not in NEEDS:
            what = f"the keyword {foreign[0]!r}" if foreign else f"needs={step.needs!r}"
            raise ValueError(f"policy {policy.name!r}: {what} means nothing to the claim {step.claim}.")
    unknown = sorted(set(settings) - {name for claim in claims for name in _parameters(claim)})
    if unknown:
        raise ValueError(f"no claim of policy {policy.name!r} has a setting {unknown[0]!r}.")
    for given in (settings, *(step.keywords for step in policy.steps)):
        for name in set(given) & set(SETTINGS):
            resolve(name, given[name])
    if unlearner is None and any(step.needs == "unlearner" for step in policy.steps):
        raise ValueError(f"policy {policy.name!r} judges the method too: pass unlearner=, or choose another policy.")


def _needs(policy: Policy) -> str:
    """Say where each claim of a policy can be asked."""
    return "; ".join(f"{step.claim} {NEEDS[step.needs]}" for step in policy.steps) or "it has none"


def _steps(policy: Policy, task: UnlearningTask, canaries: Any) -> list[Step]:
    """List the steps of a policy whose needs are there."""
    there = {
        "": True,
        "weights": all(is_module(one) for one in task.retrained),
        "whole classes": bool(len(np.setdiff1d(task.forget.labels, task.retain.labels)))
        and not np.isin(task.forget.labels, task.retain.labels).any(),
        "unlearner": True,
        "canaries": canaries is not None,
    }
    return [step for step in policy.steps if there[step.needs]]


def _parameters(claim: str) -> set[str]:
    """List the keywords of a claim's audit that a caller may give."""
    return set(inspect.signature(TABLE[claim].audit()).parameters) - OWN


def _keywords(step: Step, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Choose the settings that a step's audit has, its policy's own first."""
    accepted = _parameters(step.claim)
    return {**{name: value for name, value in settings.items() if name in accepted}, **step.keywords}


def _run(
    step: Step, model: Any, task: UnlearningTask, unlearner: Any, canaries: Any, given: dict[str, Any]
) -> Evidence | None:
    """Run a claim's audit; None where the references lack what it is about."""
    spec = TABLE[step.claim]
    audit: Callable[..., Evidence] = spec.audit()
    hidden = not shows_weights(model) and all(shows_weights(one) for one in task.retrained)
    hides = f"the references are networks, but this model, a {type(model).__name__}, shows no weights"
    if step.needs == "weights" and hidden:
        return not_assessable(model, task, step.claim, hides)
    try:
        if spec.needs == "unlearner":
            return audit(unlearner, task, **given)
        if spec.needs == "canaries":
            return audit(model, canaries, task=task, **given)
        found = audit(model, getattr(task, spec.view), **given)
    except SingleLayerError as error:
        if all(_single_layer(one, task) for one in (model, *task.retrained)):
            return None
        return not_assessable(model, task, step.claim, str(error))
    except MODEL_CANNOT as error:
        if spec.fundamental:
            raise
        return not_assessable(model, task, step.claim, str(error))
    excused = found.verdict is Verdict.PASS or found.not_testable
    if spec.less_without_weights and hidden and excused:
        return not_assessable(model, task, step.claim, hides)
    return found


def _single_layer(model: Any, task: UnlearningTask) -> bool:
    """Tell whether a network has nothing between layers."""
    try:
        find_layers(model, task.forget)
    except SingleLayerError:
        return True
    except ValueError:
        return False
    return False


ADVICE = (
    "hand over the network itself, of the references' architecture; a filter around it must show what it wraps",
    "or choose a policy without this claim, and say so to whoever relies on the release",
)


def not_assessable(model: Any, task: UnlearningTask, claim: str, reason: str) -> Evidence:
    """Make the INCONCLUSIVE evidence of a claim that a model cannot be asked."""
    return Evidence(
        claim=Claim(name=claim, quantity="nothing that could be measured", lowest=0.0, highest=0.0),
        verdict=Verdict.INCONCLUSIVE,
        estimate=Estimate(
            value=float("nan"),
            low=float("-inf"),
            high=float("inf"),
            confidence=resolve("confidence").value,
            method="not measured",
            n_forget=len(task.forget),
        ),
        decided_by="nothing",
        reasons=(f"this model could not be asked: {reason}",),
        advice=ADVICE,
        provenance=provenance(model, (task.forget,), task, original=False, retrained=False),
    )
