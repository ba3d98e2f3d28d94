"""A run of a method as a training: kept in the cache like one, and shown like one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from pytest_unlearn.views import View


@dataclass(frozen=True)
class Unlearning:
    """An unlearner at work on one original and one request, in the shape of a recipe."""

    unlearner: Any
    original: Any
    forget: View
    role: ClassVar = ("the method", "running the method")

    def __call__(self, dataset: Any, *, seed: int) -> Any:
        """Run it; `dataset` is the retain set."""
        return self.unlearner(self.original, dataset, self.forget, seed=seed)
