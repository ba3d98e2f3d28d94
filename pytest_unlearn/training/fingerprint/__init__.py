"""Digest a recipe: its code, the code that it stands on, and all values in it."""

from __future__ import annotations

import hashlib
from typing import Any

from pytest_unlearn.training.fingerprint.walker import UnknownRecipe, Walk
from pytest_unlearn.training.recipes import Recipe

__all__ = ["UnknownRecipe", "fingerprint"]


def fingerprint(recipe: Any) -> str:
    """Digest a recipe so that it changes whenever a model trained by it might.

    It covers the source of the module where the recipe is defined and of every project module this one reaches by
    import (comments, docstrings and layout aside), closures, defaults, fields, the globals that functions name, and
    the versions of the packages they use. A recipe with a `key` is identified by it alone.

    Args:
        recipe: a function, a method, a partial, or an object that can be called; any other value works as well.

    Returns:
        64 hexadecimal digits.

    Raises:
        UnknownRecipe: part of the recipe is neither source code nor a value that can be read; the sentence names it.
    """
    inner = recipe
    while inner is not None:
        key = getattr(inner, "key", None)
        if isinstance(key, str):
            return hashlib.sha256(repr(("explicit", key)).encode()).hexdigest()
        inner = inner.function if isinstance(inner, Recipe) else None
    try:
        return Walk().digest(recipe, "the recipe")
    except RecursionError:
        raise UnknownRecipe("the recipe", "a value nested too deeply to read") from None
