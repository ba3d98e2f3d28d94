"""Doing nothing: a decoy."""

from copy import deepcopy
from dataclasses import dataclass
from typing import TypeVar

from unlearners.common.isolation import Examples

Model = TypeVar("Model")


@dataclass(frozen=True)
class NoOp:
    """Return an independent copy of the model. It forgets nothing: an audit that lets it pass has no power."""

    def __call__(self, model: Model, retain: Examples, forget: Examples, *, seed: int) -> Model:  # noqa: ARG002
        return deepcopy(model)
