"""Digest any value a recipe may carry: plain data, arrays, and objects by class and state."""

from __future__ import annotations

import copyreg
import enum
import hashlib
import sys
import types
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from pytest_unlearn.references.sources import is_project_file, reach

_PLAIN = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis), type(NotImplemented))
_STATELESS_BASES = ("abc.ABC", "typing.Generic", "typing.Protocol", "builtins.object")


class UnknownRecipe(ValueError):  # noqa: N818 - it says what the recipe is, as the field's names do
    """Nobody can tell when this recipe changes, so the models it trains cannot be kept without an explicit key."""

    def __init__(self, where: str, what: str) -> None:
        """Say where it was found, what it is, and what to do."""
        super().__init__(where, what)

    def __str__(self) -> str:
        """The whole sentence."""
        where, what = self.args
        return (
            f"{where} is {what}, so a change of it would go unnoticed: give it an explicit key, "
            '`Recipe(function, key="...")`, and change the key whenever the recipe changes'
        )


class Walk:
    """One walk over a value and all it refers to; it remembers what it has seen, so that cycles end."""

    def __init__(self) -> None:
        """Start with nothing seen."""
        self._done: dict[int, tuple[Any, str]] = {}
        self._active: dict[int, int] = {}
        self._files: dict[Path, list[str]] = {}

    def reached(self, file: Path) -> list[str]:
        """The digests of a project file and of all it reaches, with their names, as one flat list."""
        if file not in self._files:
            self._files[file] = [part for item in sorted(reach(file).items()) for part in item]
        return self._files[file]

    def digest(self, value: Any, where: str) -> str:
        """The digest of one value.

        Args:
            value: anything.
            where: where it was found, for the error's sentence.

        Returns:
            64 hexadecimal digits.

        Raises:
            UnknownRecipe: the value, or one it refers to, can neither be read nor be traced to its source.
        """
        if type(value) in _PLAIN:
            return combine(type(value).__name__, value.hex() if isinstance(value, float) else repr(value))
        identity = id(value)
        if identity in self._done:
            return self._done[identity][1]
        if identity in self._active:
            return combine("cycle", str(len(self._active) - self._active[identity]))
        self._active[identity] = len(self._active)
        try:
            result = self._describe(value, where)
        finally:
            del self._active[identity]
        # Keeping the value keeps its id from being given to another.
        self._done[identity] = (value, result)
        return result

    def _describe(self, value: Any, where: str) -> str:
        from pytest_unlearn.references import callables

        if isinstance(value, enum.Enum):
            return combine(
                "enum", type(value).__module__, type(value).__qualname__, value.name, self.digest(value.value, where)
            )
        if isinstance(value, PurePath):
            return combine("path", str(value))
        if isinstance(value, callables.CODE_TYPES):
            return callables.describe(self, value, where)
        if isinstance(value, (np.ndarray, np.generic, np.dtype)):
            return self._array(value, where)
        if is_a(value, "torch", "Tensor"):
            return self._tensor(value, where)
        if isinstance(value, partial):
            return combine(
                "partial", *self.all([value.func, value.args, value.keywords, vars(value)], f"{where} (a partial)")
            )
        if type(value) in (list, tuple):
            return combine(
                type(value).__name__, *(self.digest(item, f"{where}[{index}]") for index, item in enumerate(value))
            )
        if type(value) in (set, frozenset):
            return combine("set", *sorted(self.digest(item, f"an element of {where}") for item in value))
        if type(value) in (dict, OrderedDict, types.MappingProxyType):
            return combine("dict", *self._items(value, where))
        return self._object(value, where)

    def all(self, values: Any, where: str) -> list[str]:
        """The digests of several values that belong to one place."""
        return [self.digest(value, where) for value in values]

    def _items(self, mapping: Mapping[Any, Any], where: str) -> list[str]:
        return [
            part
            for key, item in mapping.items()
            for part in (self.digest(key, f"a key of {where}"), self.digest(item, f"{where}[{key!r}]"))
        ]

    def _array(self, value: Any, where: str) -> str:
        if isinstance(value, np.dtype):
            return combine("dtype", str(value))
        if isinstance(value, np.ma.MaskedArray):
            return combine("masked", *self.all([value.data, np.ma.getmaskarray(value)], where))
        array = np.asarray(value)
        if array.dtype.hasobject:
            return combine("objects", str(array.shape), self.digest(array.tolist(), where))
        return combine("array", type(value).__name__, str(array.dtype), str(array.shape), array.tobytes())

    def _tensor(self, value: Any, where: str) -> str:
        import torch

        if value.layout is not torch.strided or value.device.type == "meta" or value.is_quantized:
            raise UnknownRecipe(where, f"a tensor whose values cannot be read ({value.layout}, {value.device.type})")
        raw = value.detach().cpu().contiguous().reshape(-1)
        return combine(
            "tensor", type(value).__name__, str(value.dtype), str(tuple(value.shape)), value.device.type,
            str(value.requires_grad), raw.view(torch.uint8).numpy().tobytes() if raw.numel() else b"",
        )  # fmt: skip

    def _object(self, value: Any, where: str) -> str:
        kind = type(value)
        name = f"{kind.__module__}.{kind.__qualname__}"
        if name in ("torch.dtype", "torch.device", "torch.layout", "torch.memory_format"):
            return combine("torch", repr(value))
        if name == "torch._C.Generator":
            return combine("generator", str(value.device), self.digest(value.get_state(), where))
        where = f"{where} (a {kind.__qualname__})"
        if is_a(value, "sklearn.base", "BaseEstimator"):
            state = [self.digest(value.get_params(deep=False), where), *self._fields(value, where)]
        elif is_a(value, "torch.nn", "Module") or _pure(kind):
            state = self._fields(value, where)
        else:
            # A library's object says best what its state is; fields that a class of the project adds count as well.
            own = any(is_project_file(_module_file(base)) for base in kind.__mro__)
            state = [*(self._fields(value, where) if own else ()), self._reduced(value, where)]
        return combine("object", self.digest(kind, f"the class of {where}"), *state)

    def _fields(self, value: Any, where: str) -> list[str]:
        fields = dict(getattr(value, "__dict__", {}))
        for base in type(value).__mro__:
            for name, member in vars(base).items():
                if isinstance(member, types.MemberDescriptorType) and is_slot(base, name):
                    fields[name] = getattr(value, name, None)
        return [
            part for name, item in fields.items() for part in (str(name), self.digest(item, f"`{name}` of {where}"))
        ]

    def _reduced(self, value: Any, where: str) -> str:
        """The state as the object itself describes it for copying: the only view into objects written in C."""
        try:
            reducer: Callable[[Any], Any] | None = copyreg.dispatch_table.get(type(value))
            reduced = reducer(value) if reducer else value.__reduce_ex__(4)
        except Exception:
            raise UnknownRecipe(where, "an object whose state cannot be read") from None
        if isinstance(reduced, str):
            return combine("global", reduced)
        parts = [list(part) if index >= 3 and part is not None else part for index, part in enumerate(reduced)]
        return combine("reduced", *self.all(parts, where))


def combine(*parts: str | bytes) -> str:
    """One digest of several parts, each with its length, so that no two lists of parts look alike."""
    total = hashlib.sha256()
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        total.update(len(raw).to_bytes(8, "big"))
        total.update(raw)
    return total.hexdigest()


def is_slot(base: type, name: str) -> bool:
    """Whether a class declares this name as a slot of its own."""
    slots = vars(base).get("__slots__", ())
    return name in ((slots,) if isinstance(slots, str) else tuple(slots))


def is_a(value: Any, module: str, name: str) -> bool:
    """An isinstance check that does not import the library: before it is imported, nothing can be an instance."""
    kind = getattr(sys.modules.get(module), name, None)
    return isinstance(kind, type) and isinstance(value, kind)


def _pure(kind: type) -> bool:
    """Whether fields are the whole state: every base is a class of the project, written in Python."""
    return all(
        f"{base.__module__}.{base.__qualname__}" in _STATELESS_BASES or is_project_file(_module_file(base))
        for base in kind.__mro__
    )


def _module_file(kind: type) -> str | None:
    return getattr(sys.modules.get(kind.__module__), "__file__", None)
