"""Refuse recipes and methods that cannot be called as they will be."""

from __future__ import annotations

import inspect
import sys
from typing import Any

from pytest_unlearn.training.fingerprint.walker import is_a

METHOD = "a method is called as unlearner(model, retain, forget, *, seed), and"


def check_recipe(recipe: Any) -> None:
    """Refuse what cannot be called as `recipe(dataset, seed=...)`.

    Raises:
        TypeError: it cannot; the sentence shows how it should look.
    """
    # A module's signature takes anything, but it is a model and trains none.
    if not callable(recipe) or is_a(recipe, "torch.nn", "Module") or _is_untrained(recipe):
        raise TypeError(
            f"the recipe is {_named(recipe)}: it must be a function that trains a model, "
            "`def train(dataset, *, seed)`, or a TorchRecipe or EstimatorRecipe"
        )
    if error := unbound(recipe, object(), seed=0):
        name = name_of(recipe)
        raise TypeError(
            f"the recipe {name}{inspect.signature(recipe)} cannot be called as {name}(dataset, seed=0) ({error}): "
            "write it as `def train(dataset, *, seed)`, so that every reference model gets a seed of its own"
        )


def check_unlearner(unlearner: Any) -> None:
    """Refuse what cannot be called as `unlearner(model, retain, forget, seed=...)`.

    Raises:
        TypeError: it cannot; the sentence shows how it should look.
    """
    module = (
        is_a(unlearner, "torch.nn", "Module") and type(unlearner).__call__ is sys.modules["torch.nn"].Module.__call__
    )
    called = unlearner.forward if module else unlearner  # what a module inherits takes anything
    error = unbound(called, object(), object(), object(), seed=0)
    if (module and error) or _is_untrained(unlearner):
        raise TypeError(f"{METHOD} {_named(unlearner)} is a model: pass the function that unlearns, not its result.")
    if isinstance(unlearner, type):
        raise TypeError(f"{METHOD} {unlearner.__name__} is a class: pass an instance, as in {unlearner.__name__}().")
    if not callable(unlearner):
        raise TypeError(f"{METHOD} {unlearner!r} cannot be.")
    if error:
        raise TypeError(
            f"{METHOD} {name_of(unlearner)}{inspect.signature(unlearner)} cannot be ({error}): write it as "
            "`def unlearn(model, retain, forget, *, seed)`."
        )


def unbound(function: Any, *args: Any, **kwargs: Any) -> str:
    """Say why a call would not fit a function's signature; empty where it may."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return ""
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        return str(error)
    return ""


def _is_untrained(value: Any) -> bool:
    """Tell whether this is a scikit-learn estimator."""
    return not isinstance(value, type) and hasattr(value, "fit") and hasattr(value, "get_params")


def _named(value: Any) -> str:
    return repr(value) if value is None or isinstance(value, (str, bytes)) else f"a {type(value).__name__}"


def checked_device(device: Any) -> str | None:
    """Return the name of a device that there is; TypeError or ValueError for another."""
    if device is None:
        return None
    torch = sys.modules.get("torch")
    if not isinstance(device, str) and not (torch is not None and isinstance(device, torch.device)):
        raise TypeError(f"device is the name of a device, such as 'cpu' or 'cuda:0', not {device!r}.")
    if torch is not None:
        try:
            torch.device(device)
        except RuntimeError:
            raise ValueError(f"there is no device {device!r}: name one such as 'cpu' or 'cuda:0'.") from None
    return str(device)


def estimator_type(estimator: Any) -> str | None:
    """Return what scikit-learn takes an estimator for; None if nothing says."""
    try:
        found = estimator.__sklearn_tags__().estimator_type
    except Exception:  # of another package, or an older protocol
        found = getattr(estimator, "_estimator_type", None)
    return found if isinstance(found, str) else None


def name_of(function: Any) -> str:
    """Return the name that a function or an object is called by."""
    return getattr(function, "__qualname__", None) or type(function).__name__
