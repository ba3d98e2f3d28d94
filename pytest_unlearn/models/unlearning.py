"""An unlearning method as a job: what it makes of a model, and its key."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, ClassVar

from pytest_unlearn.data.view import View
from pytest_unlearn.models.adapters import identify, state_digest
from pytest_unlearn.models.handle import CHANGED
from pytest_unlearn.models.identity import Identity
from pytest_unlearn.training import Job, UnknownRecipe, fingerprint, reference_key

_logger = logging.getLogger("pytest_unlearn")


def method_digest(unlearner: Any) -> str:
    """Digest a method by its code and values; empty if part of it cannot be read."""
    return read_method(unlearner)[0]


def read_method(unlearner: Any) -> tuple[str, str]:
    """Digest a method, and say what of it cannot be read where something cannot."""
    try:
        return fingerprint(unlearner), ""
    except UnknownRecipe as unknown:
        return "", " is ".join(map(str, unknown.args))


@dataclass(frozen=True)
class Unlearning:
    """An unlearner at work on one model and one request, in the shape of a recipe."""

    unlearner: Any
    original: Any
    forget: View
    role: ClassVar = "the method"
    doing: ClassVar = "running the method"

    def __call__(self, dataset: Any, *, seed: int) -> Any:
        """Run it; `dataset` is the retain set.

        Raises:
            ValueError: the unlearner changed the model that it was given.
        """
        before = state_digest(self.original)
        unlearned = self.unlearner(self.original, dataset, self.forget, seed=seed)
        if state_digest(self.original) != before:
            raise ValueError(CHANGED.format("the model that the unlearner was given"))
        return unlearned


@dataclass(frozen=True)
class UnlearningRequest:
    """A request to unlearn from whatever model it is called with: it returns the job.

    `method` is the unlearner's digest, taken once and where its code can be read; `device` is the task's. `own` asks
    for a model that was made in this run, as `Job` says.
    """

    unlearner: Any
    method: str
    retain: View
    forget: View
    seed: int
    device: str | None
    own: bool

    def __call__(self, model: Any) -> Job:
        """Return the job of unlearning it from a model."""
        return self.of(model, identify(model))

    def of(self, model: Any, identity: Identity) -> Job:
        """Return the job; it has no key unless all that it depends on is identified."""
        key = ""
        if identity.obstacle:
            _logger.info(
                "the unlearned model is kept in no cache, as its original is not identified: %s", identity.obstacle
            )
        elif self.method:
            recipe, data = f"{self.method} of {identity.digest}", f"{self.retain.digest}{self.forget.digest}"
            key = reference_key(recipe, data, self.forget.indices, self.seed, self.device)
        return Job(Unlearning(self.unlearner, model, self.forget), self.retain, self.seed, key, self.own)
