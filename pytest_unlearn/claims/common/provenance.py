"""Provenance: digests, seeds, settings and versions, without time stamps.

It also says whether the audited model is one that was there before: the original, or a reference.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from pytest_unlearn.core.evidence import Answers, Outputs
from pytest_unlearn.core.recorder import current_place
from pytest_unlearn.data.view import View
from pytest_unlearn.models.adapters import SavedOutputs, identify
from pytest_unlearn.models.handle import AuditHandles
from pytest_unlearn.models.identity import Identity
from pytest_unlearn.task import UnlearningTask

PACKAGES = ("pytest-unlearn", "torch", "scikit-learn", "numpy", "scipy")


def provenance(
    model: Any,
    views: tuple[View, ...],
    task: UnlearningTask | None,
    *,
    original: bool,
    retrained: bool,
    models: AuditHandles | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """Record digests, seeds, settings, versions and seconds behind an audit.

    `original` and `retrained` say whether the audit used the task's own: what it did not need is not trained for this.
    `models` are the handles that the audit asked; this is where it ends.

    Raises:
        ValueError: when a model was changed in place while it was audited.
    """
    if models is not None:
        models.end()
    identity = _identity(model, models)
    record: dict[str, Any] = {
        "model": {"type": _type_name(model), "digest": identity.digest, "not identified": identity.obstacle},
        "data": {view.name: {"n": len(view), "digest": view.digest} for view in views},
        "request": _request(views, task),
        "settings": settings,
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}},
    }
    if isinstance(model, SavedOutputs) and model.files:
        record["model"]["files"] = {
            part: {"name": name.name if (name := Path(one.name)).is_absolute() else one.name, "sha256": one.sha256}
            for part, one in model.files.items()
        }
    if models is not None and not identity.digest:
        # What else tells whether two claims are about one model: its answers to the examples that both ask about.
        answered = models.of(model).answered(views)
        record["model"]["answers"] = {view.digest: outputs_digest(one) for view, one in answered}
    if task is not None:
        record["task"] = {"split": task.split.digest, "seed": task.seed, "recipe": task.recipe_fingerprint}
        if task.models.batch_size is not None:
            record["task"]["batch_size"] = task.models.batch_size
        record["seconds"] = {"unlearned": task.models.seconds_of(model)}
        record["origins"] = {"unlearned": task.models.origin_of(model)}
        record["made by"] = task.models.method_of(identity.digest)
        if original:
            record["seconds"]["original"] = task.models.seconds_of(task.original)
            record["origins"]["original"] = task.models.origin_of(task.original)
        if retrained:
            references = [{"key": trained.key, "seed": trained.seed} for trained in task.trained_references]
            record["task"] |= {"references": references, "bootstrapped": task.bootstrapped}
            record["seconds"]["references"] = [task.models.seconds_of(reference) for reference in task.retrained]
            record["origins"]["references"] = [task.models.origin_of(reference) for reference in task.retrained]
    return record


def outputs_digest(answers: Answers | Outputs) -> str:
    """Digest what a model answered."""
    parts = (answers,) if isinstance(answers, Outputs) else (answers.forget, answers.controls)
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.content)
    return digest.hexdigest()


def _request(views: tuple[View, ...], task: UnlearningTask | None) -> dict[str, Any] | None:
    """Name the deletion request that an audit is about: what goes, in any order, and where that is defined."""
    forget = next((view for view in views if view.name == "forget"), None) if task is None else task.forget
    if forget is None:
        return None
    split = None if forget.task is None else forget.task.split
    defined = current_place() if split is None else split.defined_in or current_place()
    named = {"n": len(forget), "digest": forget.unordered_digest, "defined in": defined or None}
    if split is not None:
        named["of"] = len(split.train)
        if split.groups is not None:
            named["units"] = len(set(split.groups[split.forget_indices].tolist()))
        if split.unsaid_persons:
            named["groups not given"] = split.unsaid_persons
    return named


def _type_name(model: Any) -> str:
    return f"{type(model).__module__}.{type(model).__qualname__}"


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


NO_OP = "no-op: every weight of the audited model is the original's"
ONLY_ITSELF = (
    "the audited model is the only reference, or answers exactly like it, and no other model is there to judge it by: "
    "give the task more references."
)


def twin_of(model: Any, original: Any, references: Sequence[Any], models: AuditHandles | None = None) -> str:
    """Name the model of equal state: "original", "retrained K", or "".

    Compared by digests, so that a filter around an unchanged model is found by what it wraps only if that is what was
    handed over; what a model answers is compared elsewhere. Models whose state cannot be read (callables, saved
    outputs) are equal to themselves alone.
    """
    ours = _identity(model, models)
    named = [("original", original), *((f"retrained {k}", one) for k, one in enumerate(references))]
    for name, other in named:
        if other is not None and (other is model or (not ours.obstacle and _identity(other, models) == ours)):
            return name
    return ""


def _identity(model: Any, models: AuditHandles | None) -> Identity:
    return identify(model) if models is None else models.of(model).identity


def identity_notes(
    model: Any, original: Any, references: Sequence[Any], models: AuditHandles | None = None
) -> tuple[str, ...]:
    """Note that the audited model equals another one of the audit."""
    asked: tuple[str, ...] = ()
    if models is not None and models.batch_size is not None:
        many = f"batches of exactly {models.batch_size}" if models.batch_size > 1 else "one example at a time"
        asked = (f"models were asked about {many}, as the task says: how they answer otherwise is not judged",)
    twin = twin_of(model, original, references, models)
    if twin == "original":
        return (NO_OP, *asked)
    if twin:
        return (f"the audited model is {twin}, a reference: it was judged by the others", *asked)
    return asked


def reference_notes(different: int, given: int, *, bootstrapped: bool, compared: str) -> tuple[str, ...]:
    """Note how few references there are, and what they were trained on.

    `different` of the `given` ones are left where equal ones count once; `compared` is what they are compared on.
    """
    notes = []
    if not different:
        notes.append(
            f"uncalibrated: no references, so {compared} are not compared with what a retrained model makes of them"
        )
    if different < given:
        notes.append(f"{given} references give only {different} different models; equal ones count once")
    if bootstrapped and different:
        notes.append(
            "the recipe gives the same model for every seed, so references are trained on bootstraps of retain"
        )
    return tuple(notes)
