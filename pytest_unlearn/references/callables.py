"""Digest code: functions by their source and what they close over, classes by theirs, foreign ones by their version."""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_unlearn.references.parsing import parse
from pytest_unlearn.references.sources import is_project_file, version_of

if TYPE_CHECKING:
    from pytest_unlearn.references.values import Walk

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
    from pytest_unlearn.references.values import combine

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
    from pytest_unlearn.references.values import combine

    return combine(
        "bytecode",
        code.co_code,
        repr(code.co_names),
        repr(code.co_varnames),
        repr(code.co_freevars),
        *walk.all(code.co_consts, where),
    )


def _function(walk: Walk, function: types.FunctionType, where: str) -> str:
    from pytest_unlearn.references.values import UnknownRecipe, combine

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
    from pytest_unlearn.references.values import UnknownRecipe, combine

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
    from pytest_unlearn.references.values import UnknownRecipe, combine

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
    from pytest_unlearn.references.values import UnknownRecipe, combine

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
