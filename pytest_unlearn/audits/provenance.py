"""What a run would need to be reproduced: digests of data and models, seeds, settings and versions. No time stamps."""

from __future__ import annotations

import hashlib
import platform
from importlib import metadata
from typing import Any

from pytest_unlearn.evidence import Answers, Outputs
from pytest_unlearn.outputs import model_digest
from pytest_unlearn.task import UnlearningTask
from pytest_unlearn.views import View

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
