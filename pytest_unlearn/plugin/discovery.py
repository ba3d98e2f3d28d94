"""Detect unmarked audits: tests that name an assertion, or ask for its model.

A skipped test leaves nothing behind. Without a look at its code the gate could not know what has not been audited.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import pytest

FIXTURES = frozenset({"unlearned_model", "unlearn"})
HOME = "pytest_unlearn.testing.assertions"
ASSERT = "assert_"  # what the name of every assertion begins with
SEARCHES = "searches_requests"  # what @stress calls the tests that it makes
LIBRARIES = ("site-packages", "dist-packages", os.path.dirname(os.__file__), str(Path(__file__).parents[1]))
SETUPS = ("setUp", "setUpClass", "asyncSetUp", "tearDown", "tearDownClass", "setup_method", "setup_class")
FUNCTIONS = (FunctionType, MethodType, functools.partial)


class AuditTestDetector:
    """Look at tests one by one, and at nothing twice that reaches no audit."""

    def __init__(self) -> None:
        self._cleared: set[int] = set()

    def __contains__(self, item: pytest.Item) -> bool:
        """Tell whether a test, its fixtures or what it calls reach an assertion."""
        if FIXTURES.intersection(getattr(item, "fixturenames", ())):
            return True
        parameters = getattr(getattr(item, "callspec", None), "params", {}).values()
        fixtures = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {}).values()
        functions = (definition.func for definitions in fixtures for definition in definitions)
        around = (getattr(getattr(item, "cls", None), name, None) for name in SETUPS)
        return self._any_reaches_an_audit([getattr(item, "obj", None), *parameters, *functions, *around])

    @functools.cached_property
    def _assertions(self) -> frozenset[str]:
        from pytest_unlearn.core.claim_table import assertion_names

        return assertion_names()

    def _any_reaches_an_audit(self, starts: Iterable[Any]) -> bool:
        """Follow functions by the names in their code until one is an assertion."""
        visited: dict[int, Any] = {}
        todo = list(starts)
        while todo:
            thing = todo.pop()
            if not isinstance(thing, FUNCTIONS) or id(thing) in visited or id(thing) in self._cleared:
                continue
            visited[id(thing)] = thing
            code = getattr(thing, "__code__", None)
            names = set() if code is None or _of_a_library(code.co_filename) else set(_names(code))
            audits = getattr(thing, "__module__", None) == HOME or getattr(thing, SEARCHES, False)
            if audits or (any(name.startswith(ASSERT) for name in names) and names & self._assertions):
                return True
            todo += _within_reach(thing, names)
        # A bound method is a new object each time, so that its id means nothing later.
        self._cleared.update(key for key, thing in visited.items() if isinstance(thing, FunctionType))
        return False


def _of_a_library(file: str) -> bool:
    """Tell whether a file is installed, of the standard library or of this package."""
    return any(place in file for place in LIBRARIES)


def _names(code: CodeType) -> Iterator[str]:
    """Yield the names in a function's code and in that of functions inside it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):  # a function inside the function
            yield from _names(constant)


def _within_reach(thing: Any, names: set[str]) -> Iterator[Any]:
    """Yield what a function may call.

    That is what it wraps, and what it names in its module, its closure, its class or an import.
    """
    yield from (getattr(thing, name, None) for name in ("__wrapped__", "__func__", "func"))
    yield getattr(getattr(thing, "hypothesis", None), "inner_test", None)
    for cell in getattr(thing, "__closure__", None) or ():
        with contextlib.suppress(ValueError):  # a variable without a value yet
            yield from _callable_parts(cell.cell_contents, names)
    scope, owner = getattr(thing, "__globals__", {}), type(getattr(thing, "__self__", None))
    for name in names:
        yield from _callable_parts(scope.get(name), names)
        yield from _callable_parts(sys.modules.get(name), names)  # imported in the function's body
        yield getattr(owner, name, None)


def _callable_parts(value: Any, names: set[str]) -> Iterator[Any]:
    """Yield the functions in a value: of modules those named, of classes all."""
    if isinstance(value, FUNCTIONS):
        yield value
    elif isinstance(value, ModuleType):
        if not _of_a_library(getattr(value, "__file__", None) or "site-packages"):
            for name in names:
                part = vars(value).get(name)
                yield from _callable_parts(part, names) if not isinstance(part, ModuleType) else ()
    elif value is not None:
        kind = value if isinstance(value, type) else type(value)
        if not _of_a_library(getattr(sys.modules.get(kind.__module__), "__file__", None) or "site-packages"):
            yield from (getattr(part, "__func__", part) for part in vars(kind).values())
