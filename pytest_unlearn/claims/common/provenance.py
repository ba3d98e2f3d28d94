"""What a run would need to be reproduced: digests of data and models, seeds, settings and versions. No time stamps.

Is the audited model one that was there before: the original, or a reference? Then it is named as such.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Sequence
from importlib import metadata
from typing import Any

from pytest_unlearn.core.evidence import Answers, Outputs
from pytest_unlearn.data.view import View
from pytest_unlearn.models.adapters import is_module
from pytest_unlearn.models.predict import model_digest
from pytest_unlearn.task import UnlearningTask

PACKAGES = ("pytest-unlearn", "torch", "scikit-learn", "numpy", "scipy")


def provenance(
    model: Any,
    views: tuple[View, ...],
    task: UnlearningTask | None,
    *,
    original: bool,
    retrained: bool,
    **settings: Any,
) -> dict[str, Any]:
    """Digests, seeds, settings and versions behind an audit of `model` on `views`, and what its models took to make.

    `original` and `retrained` say whether the audit used the task's own: what it did not need is not trained for this.
    """
    record: dict[str, Any] = {
        "model": {"type": _type_name(model), "digest": model_digest(model)},
        "data": {view.name: {"n": len(view), "digest": view.digest} for view in views},
        "settings": settings,
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}},
    }
    if task is not None:
        record["task"] = {
            "split": task.split.digest,
            "seed": task.seed,
            "recipe": task.recipe_fingerprint,
        }
        record["seconds"] = {"unlearned": task.seconds_of(model)}
        if original:
            record["seconds"]["original"] = task.seconds_of(task.original)
        if retrained:
            references = [{"key": trained.key, "seed": trained.seed} for trained in task.trained_references]
            record["task"] |= {"references": references, "bootstrapped": task.bootstrapped}
            record["seconds"]["references"] = [task.seconds_of(reference) for reference in task.retrained]
    return record


def outputs_digest(answers: Answers | Outputs) -> str:
    """A digest of what a model answered."""
    parts = (answers,) if isinstance(answers, Outputs) else (answers.forget, answers.controls)
    return hashlib.sha256(b"".join(part.logits.tobytes() for part in parts)).hexdigest()


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


def twin_of(model: Any, original: Any, references: Sequence[Any]) -> str:
    """ "original" or "retrained K" where the model has exactly their state, else an empty string.

    Compared by digests of weights and buffers, so a filter around an unchanged model is found by what it wraps only if
    that is what was handed over; what a model answers is compared elsewhere. Models without a state of their own
    (callables, saved outputs) are compared by identity.
    """
    digest = _state_digest(model)
    named = [("original", original), *((f"retrained {k}", one) for k, one in enumerate(references))]
    for name, other in named:
        if other is not None and (other is model or (digest and _state_digest(other) == digest)):
            return name
    return ""


def _state_digest(model: Any) -> str:
    """Empty for a module without any tensor: all of these would be equal."""
    return "" if is_module(model) and not model.state_dict() else model_digest(model)


def identity_notes(model: Any, original: Any, references: Sequence[Any]) -> tuple[str, ...]:
    """What to say of a model that is not one of its own."""
    twin = twin_of(model, original, references)
    if twin == "original":
        return (NO_OP,)
    if twin:
        return (f"the audited model is {twin}, a reference: it was judged by the others",)
    return ()
