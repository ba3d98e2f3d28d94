"""Describe what is checked: an unlearner, and how its models are trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from inspect import signature
from typing import Any


class Unsupported(TypeError):  # noqa: N818 - named for what a method raises
    """Raised by a method for a model or request that it does not work on.

    Its one sentence gives the reason. A check that meets it is reported as unsupported, by name and with the
    sentence, and neither passes nor fails. A package that does not want to depend on this one defines its own
    `class Unsupported(TypeError)`: any exception with a class of that name among its bases is recognised.
    """


class ConformanceError(AssertionError):
    """An unlearner breaks a promise: which one, and what to do about it."""


def is_unsupported(error: BaseException) -> bool:
    """Tell whether a method refuses this model or request as unsupported.

    By name, as the auditor imports no unlearner. `NotImplementedError` does not count: torch raises it for kernels
    that are missing and for a forgotten `forward`, which are defects.
    """
    return any(kind.__name__ == "Unsupported" for kind in type(error).__mro__)


@dataclass(frozen=True)
class Case:
    """Describe an unlearner to be checked.

    Attributes:
        unlearner: `unlearner(model, retain, forget, *, seed) -> model`.
        recipe: `recipe(dataset, *, seed) -> model`, which trains the kind of model that the method applies to. By
            default the unlearner's own `train` method if it has one, else the suite's small torch networks are used.
        dataset: map-style, of (x, y), for a recipe that cannot train on the suite's own 60 rows of six features and
            three classes. A few dozen examples are enough: the first 60 are used.
        expected_failures: check name -> why it fails. One that passes is reported as a failure.
        name: what reports and test ids call it; by default the name of its class or function.
    """

    unlearner: Any
    recipe: Callable[..., Any] | None = None
    dataset: Any = None
    expected_failures: Mapping[str, str] = field(default_factory=dict)
    name: str = ""

    def __post_init__(self) -> None:
        """Refuse what could only fail later, in every check."""
        from pytest_unlearn.training.signatures import check_recipe, check_unlearner

        check_unlearner(self.unlearner)
        if self.recipe is not None:
            check_recipe(self.recipe)
        if self.dataset is not None and not (hasattr(self.dataset, "__len__") and hasattr(self.dataset, "__getitem__")):
            raise TypeError(f"dataset is a map-style dataset of (x, y), not a {type(self.dataset).__name__}.")
        if not isinstance(self.expected_failures, Mapping):
            raise TypeError(
                f"expected_failures is a mapping from a check's name to why it fails, not {self.expected_failures!r}."
            )

    @property
    def label(self) -> str:
        """Return the name, given or found."""
        inner = getattr(self.unlearner, "func", self.unlearner)  # functools.partial
        return self.name or getattr(inner, "__name__", None) or type(inner).__name__

    @property
    def training(self) -> Callable[..., Any] | None:
        """Return the recipe, given or the unlearner's own; None for the suite's networks."""
        own = getattr(self.unlearner, "train", None)
        return self.recipe or (own if callable(own) and _takes_a_seed(own) else None)


def _takes_a_seed(function: Callable[..., Any]) -> bool:
    """Tell whether it could be a recipe; the `train` of an `nn.Module` sets a mode."""
    try:
        return "seed" in signature(function).parameters
    except (TypeError, ValueError):
        return False


def as_case(
    entry: Any, recipe: Callable[..., Any] | None = None, expected_failures: Mapping[str, str] | None = None
) -> Case:
    """Make a case from an unlearner, a pair `(unlearner, recipe)` or a case.

    What is given beside a case adds to it.
    """
    if isinstance(entry, tuple) and len(entry) == 2:
        entry = Case(*entry)
    case = entry if isinstance(entry, Case) else Case(entry)
    if expected_failures is not None and not isinstance(expected_failures, Mapping):
        raise TypeError(
            f"expected_failures is a mapping from a check's name to why it fails, not {expected_failures!r}."
        )
    expected = {**(expected_failures or {}), **case.expected_failures}
    return Case(case.unlearner, case.recipe or recipe, case.dataset, expected, case.name)
