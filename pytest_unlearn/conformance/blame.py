"""Find out what of an object cannot be pickled."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pickle import dumps
from types import FunctionType, MethodType
from typing import Any

from torch import nn

DEPTH = 5  # attributes of attributes that are looked into


def unpicklable(value: Any) -> str:
    """Name the part that cannot be pickled, and what to do about it.

    value: anything that `pickle.dumps` refuses.
    """
    path, part = _inmost(value, (), DEPTH)
    where = f"its attribute {'.'.join(path)}" if path else "it"
    return f"{where} {_reason(part)}"


def _inmost(value: Any, path: tuple[str, ...], depth: int) -> tuple[tuple[str, ...], Any]:
    for name, part in _parts(value) if depth else ():
        if not _pickles(part):
            return _inmost(part, (*path, name), depth - 1)
    return path, value


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, functools.partial):
        yield "func", value.func
        yield from value.keywords.items()
        yield from ((f"args[{i}]", part) for i, part in enumerate(value.args))
    elif isinstance(value, MethodType):
        yield "__self__", value.__self__
    elif isinstance(value, (list, tuple)):
        yield from ((f"[{i}]", part) for i, part in enumerate(value))
    elif isinstance(value, dict):
        yield from ((f"[{key!r}]", part) for key, part in value.items())
    elif not isinstance(value, (FunctionType, nn.Module)):
        yield from _state(value).items()


def _state(value: Any) -> dict[str, Any]:
    """Return the attributes that pickle takes: a class may leave some out."""
    try:
        state = value.__reduce_ex__(4)[2]
    except Exception:
        state = None
    parts = state if isinstance(state, tuple) else (state,)
    found = {str(name): one for part in parts if isinstance(part, dict) for name, one in part.items()}
    return found or getattr(value, "__dict__", {})


def _pickles(value: Any) -> bool:
    try:
        dumps(value)
    except Exception:
        return False
    return True


def _reason(part: Any) -> str:
    if isinstance(part, FunctionType):
        kind = "a lambda" if part.__name__ == "<lambda>" else "a function defined inside another"
        return f"is {kind}: define it with def at the top of a module."
    kind = type(part).__qualname__
    if isinstance(part, nn.Module):
        return (
            f"is a model that cannot be pickled ({kind}), which is no fault of the method: define its class and what "
            "it holds at the top of a module."
        )
    if "<locals>" in kind:
        return f"is of a class defined inside a function ({kind}): define it at the top of a module."
    return f"is a {kind}, which cannot be pickled: make it anew when it is needed."
