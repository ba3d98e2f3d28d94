"""Digest any value that a recipe may carry: data, objects, and code by its source.

Data is digested by value, objects by class and state, functions by their source and what they close over, classes by
theirs, and what libraries define by its name and their version.
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
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from pytest_unlearn.training.arrays import tensor_bytes
from pytest_unlearn.training.fingerprint.imports import is_project_file, reach, version_of
from pytest_unlearn.training.fingerprint.source import parse
from pytest_unlearn.training.natives import native_content, native_kind

_TREES = [(tree, f"BinaryTree{bits}") for tree in ("kd_tree", "ball_tree") for bits in (32, 64)]
_PLAIN = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis), type(NotImplemented))
_ADDRESSES = ("_stop_words_id",)  # where CountVectorizer notes which list it has checked
_STATELESS_BASES = ("abc.ABC", "typing.Generic", "typing.Protocol", "builtins.object")
_DATA_PACKAGES = ("builtins", "collections", "numpy", "torch", "sklearn", "functools", "pathlib")
_C_MODULES = ("builtins", "torch", "torch.nn.functional", "numpy", "scipy.special")
_Cached = type(functools.lru_cache(lambda: None))
_CODE = (
    *(type, types.FunctionType, types.MethodType, types.ModuleType, types.CodeType),
    *(staticmethod, classmethod, property, _Cached),
    # Written in C:
    *(types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType, types.MethodWrapperType),
    np.ufunc,
)


class UnknownRecipe(ValueError):  # noqa: N818 - as the field names it
    """Raised for a recipe of which nobody can tell when it changes.

    The models that it trains cannot be kept without an explicit key.
    """

    def __init__(self, where: str, what: str) -> None:
        super().__init__(where, what)

    def __str__(self) -> str:
        where, what = self.args
        return (
            f"{where} is {what}, so a change of it would go unnoticed: give it an explicit key, "
            '`Recipe(function, key="...")`, and change the key whenever the recipe changes'
        )


class Walk:
    """Walk over a value and all it refers to, once, so that cycles end."""

    def __init__(self) -> None:
        self._done: dict[int, tuple[Any, str]] = {}
        self._active: dict[int, int] = {}
        self._files: dict[Path, list[str]] = {}

    def digest(self, value: Any, where: str) -> str:
        """Digest one value.

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
            kind, inner = type(value), self.digest(value.value, where)
            return combine("enum", kind.__module__, kind.__qualname__, value.name, inner)
        if isinstance(value, PurePath):
            return combine("path", str(value))
        if isinstance(value, _CODE):
            return self._code(value, where)
        if isinstance(value, (np.ndarray, np.generic, np.dtype)):
            return self._array(value, where)
        if is_a(value, "torch", "Tensor"):
            return self._tensor(value, where)
        if isinstance(value, functools.partial):
            parts = [value.func, value.args, value.keywords, vars(value)]
            return combine("partial", *self._all(parts, f"{where} (a partial)"))
        if type(value) in (list, tuple):
            items = (self.digest(item, f"{where}[{index}]") for index, item in enumerate(value))
            return combine(type(value).__name__, *items)
        if type(value) in (set, frozenset):
            return combine("set", *sorted(self.digest(item, f"an element of {where}") for item in value))
        if type(value) in (dict, OrderedDict, types.MappingProxyType):
            return combine("dict", *self._items(value, where))
        return self._object(value, where)

    def _all(self, values: Any, where: str) -> list[str]:
        """Digest several values that belong to one place."""
        return [self.digest(value, where) for value in values]

    def _items(self, mapping: Mapping[Any, Any], where: str) -> Iterator[str]:
        for key, item in mapping.items():
            yield self.digest(key, f"a key of {where}")
            yield self.digest(item, f"{where}[{key!r}]")

    def _array(self, value: Any, where: str) -> str:
        if isinstance(value, np.dtype):
            return combine("dtype", str(value))
        if isinstance(value, np.ma.MaskedArray):
            return combine("masked", *self._all([value.data, np.ma.getmaskarray(value)], where))
        array = np.asarray(value)
        if array.dtype.hasobject:
            return combine("objects", str(array.shape), self.digest(array.tolist(), where))
        return combine("array", type(value).__name__, str(array.dtype), str(array.shape), array.tobytes())

    def _tensor(self, value: Any, where: str) -> str:
        import torch

        device = value.device.type
        if value.layout is not torch.strided or device == "meta" or value.is_quantized:
            raise UnknownRecipe(where, f"a tensor whose values cannot be read ({value.layout}, {device})")
        kind = (type(value).__name__, str(value.dtype), str(tuple(value.shape)), device, str(value.requires_grad))
        return combine("tensor", *kind, tensor_bytes(value))

    def _object(self, value: Any, where: str) -> str:
        kind = type(value)
        name = f"{kind.__module__}.{kind.__qualname__}"
        if name in ("torch.dtype", "torch.device", "torch.layout", "torch.memory_format"):
            return combine("torch", repr(value))
        if name == "torch._C.Generator":
            return combine("generator", str(value.device), self.digest(value.get_state(), where))
        where = f"{where} (a {kind.__qualname__})"
        if is_a(value, "skorch", "NeuralNet"):
            state = self._skorch(value, where)
        elif is_a(value, "sklearn.base", "BaseEstimator"):
            state = [self.digest(value.get_params(deep=False), where), *self._fields(value, where)]
        elif (native := native_kind(value)) is not None:
            params = sorted(value.get_params().items()) if native == "catboost" else None
            state = self._all([params, native_content(value)], where)
        elif is_a(value, "numpy.random", "RandomState"):  # what it was seeded by is another thing
            state = [self.digest(value.get_state(legacy=False), where)]
        elif is_a(value, "sklearn.tree._tree", "Tree"):
            state = self._tree(value, where)
        elif is_a(value, "torch.nn", "Module") or _pure(kind):
            state = self._fields(value, where)
        elif any(is_a(value, f"sklearn.neighbors._{tree}", base) for tree, base in _TREES):
            # The rest of what it would be copied from counts the questions that it was asked.
            state = self._all([*value.get_arrays(), *value.__getstate__()[-2:]], where)
        else:
            # A library's object describes its state best; fields that a class of the project adds count as well.
            own = any(is_project_file(_module_file(base)) for base in kind.__mro__)
            state = [*(self._fields(value, where) if own else ()), self._reduced(value, where)]
        return combine("object", self.digest(kind, f"the class of {where}"), *state)

    def _skorch(self, net: Any, where: str) -> list[str]:
        """Digest a network of skorch by settings and weights; the rest of it changes when it is asked."""
        held = {**net.get_params(deep=False), "classes": getattr(net, "classes_inferred_", None)}
        held |= {f"{name}_": getattr(net, f"{name}_", None) for name in sorted(getattr(net, "_modules", ()))}
        for name, part in held.items():
            if is_a(part, "torch.nn", "Module"):
                held[name] = [repr(part), [type(inner) for inner in part.modules()], dict(part.state_dict())]
        return self._all([held], where)

    def _tree(self, tree: Any, where: str) -> list[str]:
        """Digest a tree of scikit-learn, whose array of nodes has gaps that hold anything."""
        state = {**tree.__getstate__(), "arguments": tree.__reduce__()[1]}
        nodes = state.pop("nodes")
        return self._all([state, {name: nodes[name] for name in nodes.dtype.names}], where)

    def _fields(self, value: Any, where: str) -> list[str]:
        fields = {name: item for name, item in getattr(value, "__dict__", {}).items() if name not in _ADDRESSES}
        for base in type(value).__mro__:
            for name, member in vars(base).items():
                if isinstance(member, types.MemberDescriptorType) and _is_slot(base, name):
                    fields[name] = getattr(value, name, None)
        pairs = ((str(name), self.digest(item, f"`{name}` of {where}")) for name, item in fields.items())
        return [part for pair in pairs for part in pair]

    def _reduced(self, value: Any, where: str) -> str:
        """Digest what an object would be copied from, the only view into C objects."""
        try:
            reducer: Callable[[Any], Any] | None = copyreg.dispatch_table.get(type(value))
            reduced = reducer(value) if reducer else value.__reduce_ex__(4)
        except Exception:
            raise UnknownRecipe(where, "an object whose state cannot be read") from None
        if isinstance(reduced, str):
            return combine("global", reduced)
        parts = [list(part) if index >= 3 and part is not None else part for index, part in enumerate(reduced)]
        return combine("reduced", *self._all(parts, where))

    def _code(self, value: Any, where: str) -> str:
        """Digest something that is code."""
        if isinstance(value, type):
            return self._class(value, where)
        if isinstance(value, types.FunctionType):
            return self._function(value, where)
        if isinstance(value, types.MethodType):
            return combine("method", *self._all([value.__func__, value.__self__], where))
        if isinstance(value, types.ModuleType):
            file = vars(value).get("__file__")
            if file and is_project_file(file):
                return combine("module", *self._reached(Path(file)))
            return combine("module", *_foreign(value.__name__))
        if isinstance(value, types.CodeType):
            return self._bytecode(value, where)
        if isinstance(value, (staticmethod, classmethod)):
            return combine(type(value).__name__, self.digest(value.__func__, where))
        if isinstance(value, property):
            return combine("property", *self._all([value.fget, value.fset, value.fdel], where))
        if isinstance(value, _Cached):
            return combine("cached", *self._all([value.cache_parameters(), value.__wrapped__], where))
        return _builtin(value, where)

    def _reached(self, file: Path) -> list[str]:
        """List the digests of a project file and of all it reaches, with their names."""
        if file not in self._files:
            self._files[file] = [part for item in sorted(reach(file).items()) for part in item]
        return self._files[file]

    def _bytecode(self, code: types.CodeType, where: str) -> str:
        """Digest compiled code of lambdas and of generated methods."""
        names = (repr(code.co_names), repr(code.co_varnames), repr(code.co_freevars))
        return combine("bytecode", code.co_code, *names, *self._all(code.co_consts, where))

    def _function(self, function: types.FunctionType, where: str) -> str:
        where = f"{where} (the function {function.__qualname__})"
        code = function.__code__
        if is_project_file(code.co_filename):
            file = Path(code.co_filename).resolve()
            own = parse(file.read_bytes()).functions.get((code.co_name, code.co_firstlineno))
            parts = [*self._reached(file), own or self._bytecode(code, where), *self._globals(function, where)]
        elif _same(function.__module__, function.__qualname__, function):
            return combine("foreign", *_foreign(function.__module__), function.__qualname__)
        elif Path(code.co_filename).exists():
            parts = [*_foreign(function.__module__), self._bytecode(code, where)]
        else:
            raise UnknownRecipe(where, "code whose source cannot be found (made by exec, or typed in a session)")
        return combine("function", function.__qualname__, *parts, *self._carried(function, where))

    def _carried(self, function: types.FunctionType, where: str) -> Iterator[str]:
        """Digest everything that a function object holds besides its code."""
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            yield name
            try:
                content = cell.cell_contents
            except ValueError:
                yield "empty"
                continue
            yield self.digest(content, f"the closure variable `{name}` of {where}")
        yield self.digest(function.__defaults__, f"the defaults of {where}")
        yield self.digest(function.__kwdefaults__, f"the keyword defaults of {where}")
        yield self.digest(vars(function), f"an attribute of {where}")

    def _globals(self, function: types.FunctionType, where: str) -> Iterator[str]:
        """Digest the globals that a function names, and those they name in turn."""
        named = sorted(set(_names(function.__code__)))
        for name in named:
            if name not in function.__globals__:
                continue
            value = function.__globals__[name]
            yield name
            yield self._ambient(value, f"the global `{name}` of {where}")
            if isinstance(value, types.ModuleType) and is_project_file(vars(value).get("__file__")):
                for inner in named:
                    if inner in vars(value):
                        yield self._ambient(vars(value)[inner], f"`{name}.{inner}` of {where}")

    def _ambient(self, value: Any, where: str) -> str:
        """Digest a value that code names: its type alone for tools such as loggers.

        The source shows how such values are made, so what counts here is data that comes from elsewhere, and functions.
        """
        kind = type(value)
        tool = combine("tool", kind.__module__, kind.__qualname__)
        if isinstance(value, types.ModuleType):
            return tool
        if isinstance(value, _CODE):
            return self.digest(value, where)
        if kind.__module__.partition(".")[0] not in _DATA_PACKAGES and not is_project_file(_module_file(kind)):
            return tool
        try:
            return self.digest(value, where)
        except UnknownRecipe:
            return tool

    def _class(self, kind: type, where: str) -> str:
        where = f"{where} (the class {kind.__qualname__})"
        file = _class_file(kind)
        if file is None:
            if not _same(kind.__module__, kind.__qualname__, kind) or kind.__module__ == "__main__":
                raise UnknownRecipe(where, "a class whose source cannot be found (made at run time)")
            return combine("foreign", *_foreign(kind.__module__), kind.__qualname__)
        parts = [self.digest(base, f"a base of {where}") for base in kind.__bases__]
        for name, member in vars(kind).items():
            inner = f"`{name}` of {where}"
            plain = member.__func__ if isinstance(member, (staticmethod, classmethod)) else member
            if isinstance(plain, types.FunctionType) and not Path(plain.__code__.co_filename).exists():
                # Methods that dataclasses, named tuples and the like generate have no source, but bytecode.
                parts += [name, self._bytecode(plain.__code__, inner), *self._carried(plain, inner)]
            elif isinstance(member, (types.FunctionType, staticmethod, classmethod, property)):
                parts += [name, self.digest(member, inner)]
            elif name == "__dataclass_fields__":
                parts += [self._ambient((field.default, field.default_factory), inner) for field in member.values()]
            elif not (name.startswith("__") or name == "_abc_impl" or isinstance(member, types.MemberDescriptorType)):
                parts += [name, self._ambient(member, inner)]
        return combine("class", kind.__qualname__, *self._reached(file), *parts)


def combine(*parts: str | bytes) -> str:
    """Digest parts, each with its length, so that no two lists of them look alike."""
    total = hashlib.sha256()
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        total.update(len(raw).to_bytes(8, "big"))
        total.update(raw)
    return total.hexdigest()


def is_a(value: Any, module: str, name: str) -> bool:
    """Check isinstance without importing the library, before which nothing can be one."""
    kind = getattr(sys.modules.get(module), name, None)
    return isinstance(kind, type) and isinstance(value, kind)


def _is_slot(base: type, name: str) -> bool:
    """Tell whether a class declares this name as a slot of its own."""
    slots = vars(base).get("__slots__", ())
    return name in ((slots,) if isinstance(slots, str) else tuple(slots))


def _pure(kind: type) -> bool:
    """Tell whether fields are the whole state: no base written in C."""
    return all(
        f"{base.__module__}.{base.__qualname__}" in _STATELESS_BASES or is_project_file(_module_file(base))
        for base in kind.__mro__
    )


def _module_file(kind: type) -> str | None:
    return getattr(sys.modules.get(kind.__module__), "__file__", None)


def _class_file(kind: type) -> Path | None:
    """Find the project file that defines a class, by methods before module name."""
    for member in vars(kind).values():
        own = isinstance(member, types.FunctionType) and member.__qualname__ == f"{kind.__qualname__}.{member.__name__}"
        if own and is_project_file(member.__code__.co_filename):
            return Path(member.__code__.co_filename).resolve()
    file = _module_file(kind)
    return Path(file).resolve() if file and is_project_file(file) else None


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def _builtin(value: Any, where: str) -> str:
    short = str(value.__name__)
    name = getattr(value, "__qualname__", None) or short
    for module in (getattr(value, "__module__", None), *_C_MODULES):
        for candidate in (name, short):
            if isinstance(module, str) and _same(module, candidate, value):
                return combine("foreign", *_foreign(module), candidate)
    owner = getattr(value, "__objclass__", None)
    if isinstance(owner, type) and getattr(owner, short, None) is value:
        return combine("foreign", *_foreign(owner.__module__), owner.__qualname__, short)
    raise UnknownRecipe(where, f"a function written in C ({name}) that belongs to an object")


def _same(module: str | None, qualname: str, value: Any) -> bool:
    """Tell whether a value is the one at its module and name."""
    found: Any = sys.modules.get(module or "")
    for step in qualname.split("."):
        found = getattr(found, step, None)
    return found is value


def _foreign(module: str | None) -> tuple[str, str]:
    top = (module or "").partition(".")[0]
    return module or "", version_of(top) if top else ""
