"""Is the audited model one that was there before: the original, or a reference? Then it is named as such."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pytest_unlearn.adapters import is_module
from pytest_unlearn.outputs import model_digest

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
