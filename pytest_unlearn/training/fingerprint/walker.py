"""Digest any value a recipe may carry: plain data, arrays, and objects by class and state.

Digest code: functions by their source and what they close over, classes by theirs, foreign ones by their version.
"""

from __future__ import annotations

import copyreg
import enum
import functools
import hashlib
import sys
import types
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from pytest_unlearn.training.fingerprint.imports import is_project_file, reach, version_of
from pytest_unlearn.training.fingerprint.source import parse

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

        if isinstance(value, enum.Enum):
            return combine(
                "enum", type(value).__module__, type(value).__qualname__, value.name, self.digest(value.value, where)
            )
        if isinstance(value, PurePath):
            return combine("path", str(value))
        if isinstance(value, CODE_TYPES):
            return describe(self, value, where)
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


_Cached = type(functools.lru_cache(lambda: None))
_BUILTIN = (
    types.BuiltinFunctionType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.MethodWrapperType,
    np.ufunc,
)
CODE_TYPES = (
    type,
    types.FunctionType,
    types.MethodType,
    types.ModuleType,
    types.CodeType,
    staticmethod,
    classmethod,
    property,
    _Cached,
    *_BUILTIN,
)


def describe(walk: Walk, value: Any, where: str) -> str:
    """The digest of something that is code.

    Args:
        walk: digests the values that the code refers to.
        value: one of CODE_TYPES.
        where: where it was found.

    Returns:
        64 hexadecimal digits.

    Raises:
        UnknownRecipe: its source cannot be found.
    """

    if isinstance(value, type):
        return _class(walk, value, where)
    if isinstance(value, types.FunctionType):
        return _function(walk, value, where)
    if isinstance(value, types.MethodType):
        return combine("method", *walk.all([value.__func__, value.__self__], where))
    if isinstance(value, types.ModuleType):
        file = vars(value).get("__file__")
        return (
            combine("module", *walk.reached(Path(file)))
            if file and is_project_file(file)
            else combine("module", *_foreign(value.__name__))
        )
    if isinstance(value, types.CodeType):
        return bytecode(walk, value, where)
    if isinstance(value, (staticmethod, classmethod)):
        return combine(type(value).__name__, walk.digest(value.__func__, where))
    if isinstance(value, property):
        return combine("property", *walk.all([value.fget, value.fset, value.fdel], where))
    if isinstance(value, _Cached):
        return combine("cached", *walk.all([value.cache_parameters(), value.__wrapped__], where))
    return _builtin(value, where)


def bytecode(walk: Walk, code: types.CodeType, where: str) -> str:
    """The digest of compiled code: for lambdas, of which a line may hold several, and for generated methods."""

    return combine(
        "bytecode",
        code.co_code,
        repr(code.co_names),
        repr(code.co_varnames),
        repr(code.co_freevars),
        *walk.all(code.co_consts, where),
    )


def _function(walk: Walk, function: types.FunctionType, where: str) -> str:

    where = f"{where} (the function {function.__qualname__})"
    if not is_project_file(function.__code__.co_filename) and _same(
        function.__module__, function.__qualname__, function
    ):
        return combine("foreign", *_foreign(function.__module__), function.__qualname__)
    code = function.__code__
    names: list[str] = []
    if is_project_file(code.co_filename):
        file = Path(code.co_filename).resolve()
        own = parse(file.read_bytes()).functions.get((code.co_name, code.co_firstlineno)) or bytecode(walk, code, where)
        names = [*walk.reached(file), own]
        names += _globals(walk, function, where)
    elif Path(code.co_filename).exists():
        names = [*_foreign(function.__module__), bytecode(walk, code, where)]
    else:
        raise UnknownRecipe(where, "code whose source cannot be found (made by exec, or typed in a session)")
    return combine("function", function.__qualname__, *names, *_carried(walk, function, where))


def _of_project(function: types.FunctionType) -> bool:
    """Whether the user wrote a function, or it is a library's wrapper around one that the user wrote."""
    module = sys.modules.get(function.__module__ or "")
    return is_project_file(function.__code__.co_filename) or is_project_file(getattr(module, "__file__", None))


def _carried(walk: Walk, function: types.FunctionType, where: str) -> Iterator[str]:
    """Everything a function object holds besides its code."""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        yield name
        try:
            content = cell.cell_contents
        except ValueError:
            yield "empty"
            continue
        yield walk.digest(content, f"the closure variable `{name}` of {where}")
    yield walk.digest(function.__defaults__, f"the defaults of {where}")
    yield walk.digest(function.__kwdefaults__, f"the keyword defaults of {where}")
    yield walk.digest(vars(function), f"an attribute of {where}")


def _globals(walk: Walk, function: types.FunctionType, where: str) -> list[str]:
    """The globals that a function names, and what it names in project modules that are globals."""
    found, named = [], sorted(set(_names(function.__code__)))
    for name in named:
        if name not in function.__globals__:
            continue
        value = function.__globals__[name]
        found += [name, ambient(walk, value, f"the global `{name}` of {where}")]
        if isinstance(value, types.ModuleType) and is_project_file(vars(value).get("__file__")):
            found += [
                ambient(walk, vars(value)[inner], f"`{name}.{inner}` of {where}")
                for inner in named
                if inner in vars(value)
            ]
    return found


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def ambient(walk: Walk, value: Any, where: str) -> str:
    """The digest of a value that code merely names: its type alone where it is a tool such as a logger or a lock.

    The source says how such values are made, so what counts here is data that comes from elsewhere, and functions.
    """

    kind = type(value)
    tool = combine("tool", kind.__module__, kind.__qualname__)
    if isinstance(value, types.ModuleType):
        return tool
    if isinstance(value, CODE_TYPES):
        return walk.digest(value, where)
    data = kind.__module__.partition(".")[0] in (
        "builtins",
        "collections",
        "numpy",
        "torch",
        "sklearn",
        "functools",
        "pathlib",
    )
    if not (data or is_project_file(getattr(sys.modules.get(kind.__module__), "__file__", None))):
        return tool
    try:
        return walk.digest(value, where)
    except UnknownRecipe:
        return tool


def _class(walk: Walk, kind: type, where: str) -> str:

    where = f"{where} (the class {kind.__qualname__})"
    file = _class_file(kind)
    if file is None:
        if not _same(kind.__module__, kind.__qualname__, kind) or kind.__module__ == "__main__":
            raise UnknownRecipe(where, "a class whose source cannot be found (made at run time)")
        return combine("foreign", *_foreign(kind.__module__), kind.__qualname__)
    parts = [walk.digest(base, f"a base of {where}") for base in kind.__bases__]
    for name, member in vars(kind).items():
        inner = f"`{name}` of {where}"
        plain = member.__func__ if isinstance(member, (staticmethod, classmethod)) else member
        if isinstance(plain, types.FunctionType) and not Path(plain.__code__.co_filename).exists():
            # Methods that dataclasses, named tuples and the like generate have no source, but their code is at hand.
            parts += [name, bytecode(walk, plain.__code__, inner), *_carried(walk, plain, inner)]
        elif isinstance(member, (types.FunctionType, staticmethod, classmethod, property)):
            parts += [name, walk.digest(member, inner)]
        elif name == "__dataclass_fields__":
            parts += [ambient(walk, (field.default, field.default_factory), inner) for field in member.values()]
        elif not (name.startswith("__") or name == "_abc_impl" or isinstance(member, types.MemberDescriptorType)):
            parts += [name, ambient(walk, member, inner)]
    return combine("class", kind.__qualname__, *walk.reached(file), *parts)


def _class_file(kind: type) -> Path | None:
    """The project file that defines a class; its methods know better than its module's name, which may be taken."""
    for member in vars(kind).values():
        own = isinstance(member, types.FunctionType) and member.__qualname__ == f"{kind.__qualname__}.{member.__name__}"
        if own and is_project_file(member.__code__.co_filename):
            return Path(member.__code__.co_filename).resolve()
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    return Path(file).resolve() if file and is_project_file(file) else None


def _builtin(value: Any, where: str) -> str:

    short = str(value.__name__)
    name = getattr(value, "__qualname__", None) or short
    for module in (
        getattr(value, "__module__", None),
        "builtins",
        "torch",
        "torch.nn.functional",
        "numpy",
        "scipy.special",
    ):
        for candidate in (name, short):
            if isinstance(module, str) and _same(module, candidate, value):
                return combine("foreign", *_foreign(module), candidate)
    owner = getattr(value, "__objclass__", None)
    if isinstance(owner, type) and getattr(owner, short, None) is value:
        return combine("foreign", *_foreign(owner.__module__), owner.__qualname__, short)
    raise UnknownRecipe(where, f"a function written in C ({name}) that belongs to an object")


def _same(module: str | None, qualname: str, value: Any) -> bool:
    """Whether a value is what its module and name say, so that these identify it."""
    found: Any = sys.modules.get(module or "")
    for step in qualname.split("."):
        found = getattr(found, step, None)
    return found is value


def _foreign(module: str | None) -> tuple[str, str]:
    top = (module or "").partition(".")[0]
    return module or "", version_of(top) if top else ""
