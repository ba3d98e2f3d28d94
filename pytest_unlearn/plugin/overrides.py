"""Give each test what its own directory, module or class overrides.

pytest keeps a session's value for everybody, even where a deeper conftest.py overrides what it was made from: the
audits of one directory would silently get the data and models of another. Every way to a fixture (an argument,
`getfixturevalue`, a doctest's `getfixture`, an autouse fixture) leads through `FixtureDef.execute`. There a kept value
is dropped if the test that asks sees other definitions of anything that it was made from.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

import pytest

from pytest_unlearn.core.recorder import defining
from pytest_unlearn.plugin.completeness import display_path

BUILTIN = "pytest_unlearn.plugin.fixtures"
NAMES = (
    *("unlearn_split", "unlearn_recipe", "unlearner", "unlearning_task", "original_model", "unlearned_model"),
    *("retrained_model", "retrained_models", "forget_loader", "retain_loader", "test_loader", "unlearn"),
)
OWN = [name for name in NAMES if name not in ("original_model", "test_loader")]  # what other projects have not, too
Definition = pytest.FixtureDef[Any]
Visible = dict[str, tuple[tuple[Definition, ...], int]]
"""By name: the definitions that a test sees, farthest first, and the identity of the parameter it has for them."""


class Sources:
    """Remember what each kept value was made from, and for which test."""

    def __init__(self) -> None:
        self._asked: dict[Definition, set[str]] = {}
        self._made_for: dict[Definition, pytest.Item] = {}
        self._running: Any = None
        self._used = True

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """See whether anybody overrides anything of ours; else nothing is dropped."""
        places = {id(item.parent): item for item in session.items}.values()
        definitions = (one for item in places for name in OWN for one in _definitions(item, name))
        self._used = not all(map(_builtin, definitions))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Note which test asks."""
        self._running = item
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: Definition, request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        """Watch a fixture whose value outlives a test; say where it is defined."""
        if request.scope != "function":
            self._watch(fixturedef, request)
        with defining(place(fixturedef, request.config)):
            return (yield)

    def ask(self, request: pytest.FixtureRequest, name: str) -> None:
        """Note that the value of the asking fixture depends on another one."""
        asking: Definition | None = getattr(request, "_fixturedef", None)  # a test is no fixture
        if asking is not None:
            self._asked.setdefault(asking, set()).add(name)

    def _watch(self, definition: Definition, request: pytest.FixtureRequest) -> None:
        execute, getfixturevalue = definition.execute, request.getfixturevalue

        def checked(request: Any) -> Any:
            made_for, name = self._made_for[definition], definition.argname
            if definition.cached_result is not None and self._differ(
                name, self._names(definition), made_for, request._pyfuncitem
            ):
                definition.finish(request)
            return execute(request)

        def noted(argname: str) -> Any:
            self.ask(request, argname)
            # A kept function may ask long after the test that it was made for. pytest then takes what the fixture holds
            # now, whoever it was made for since; only the running test's own request asks anew.
            made_for, running = request._pyfuncitem, self._running or request._pyfuncitem
            anew = self._used and running is not made_for and self._ours(argname, [argname], made_for, running)
            return running._request.getfixturevalue(argname) if anew else getfixturevalue(argname)

        request.getfixturevalue = noted  # type: ignore[method-assign]
        if definition not in self._made_for:
            definition.execute = checked  # type: ignore[method-assign]
        self._made_for[definition] = request._pyfuncitem

    def _differ(self, name: str, sources: Iterable[str], *tests: pytest.Item) -> bool:
        """Tell whether two tests see other sources of a fixture that concerns ours."""
        if not self._used or tests[0] is tests[1]:
            return False
        before, now = (self.behind(sources, test) for test in tests)
        return before != now and self._ours(name, sources, *tests)

    def _ours(self, name: str, sources: Iterable[str], *tests: pytest.Item) -> bool:
        """Tell whether a fixture is one of ours, or before or behind one, for any of some tests."""
        return any(
            not self.behind(sources, test).keys().isdisjoint(NAMES) or name in self.behind(NAMES, test)
            for test in tests
        )

    def behind(self, names: Iterable[str], item: pytest.Item) -> Visible:
        """Find all that some fixtures are made from, as a test sees it."""
        params = getattr(getattr(item, "callspec", None), "params", {})
        found: Visible = {}
        todo = list(names)
        while todo:
            name = todo.pop()
            if name not in found:
                definitions = _definitions(item, name)
                found[name] = definitions, id(params.get(name))
                todo += [other for definition in definitions for other in self._names(definition)]
        return found

    def _names(self, definition: Definition) -> set[str]:
        return {*definition.argnames, *self._asked.get(definition, ())}


SOURCES = pytest.StashKey[Sources]()


def _definitions(item: pytest.Item, name: str) -> tuple[Definition, ...]:
    """Find the definitions of a fixture that a test sees, those of a parametrisation included."""
    own = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {}).get(name)
    return tuple(own or item.session._fixturemanager.getfixturedefs(name, item) or ())


def resolved_fixtures(item: pytest.Item, names: Iterable[str]) -> dict[str, Definition]:
    """Find the definition of each fixture that a test sees: the one closest to it."""
    found = {name: _definitions(item, name) for name in names}
    return {name: definitions[-1] for name, definitions in found.items() if definitions}


def overridden(request: pytest.FixtureRequest, name: str) -> bool:
    """Tell whether the requesting test sees a user's definition; nothing is run."""
    request.config.stash[SOURCES].ask(request, name)
    definition = resolved_fixtures(request._pyfuncitem, [name]).get(name)
    return definition is not None and not _builtin(definition)


def _builtin(definition: Definition) -> bool:
    return bool(definition.func.__module__ == BUILTIN)


def place(definition: Definition, config: pytest.Config) -> str:
    """Say where a fixture is defined: a file, or a test class, relative to the root."""
    if ".py" in definition.baseid:  # a module or a class
        return definition.baseid
    code = getattr(inspect.unwrap(definition.func), "__code__", None)
    return "" if code is None else display_path(config, Path(code.co_filename))


MISMATCH = re.compile(r"access the (?P<has>\w+) scoped fixture (?P<name>\w+) with a (?P<needs>\w+) scoped request")
IN_A_PROPERTY_TEST = re.compile(r"uses a (?P<has>function)-scoped fixture '(?P<name>\w+)'")  # Hypothesis' words


def scope_hint(item: pytest.Item, problem: str) -> str:
    """Say which override has too narrow a scope, if that is a test's problem."""
    found = MISMATCH.search(problem) or IN_A_PROPERTY_TEST.search(problem)
    if found is None or found["name"] not in NAMES:
        return ""
    name, needs = found["name"], found.groupdict().get("needs", "session")
    definition = resolved_fixtures(item, [name]).get(name)
    where = f" in {place(definition, item.config)}" if definition is not None else ""
    kept = "what is made from it is kept" if "needs" in found.groupdict() else "a property test needs it"
    return (
        f"`{name}`{where} has the scope {found['has']!r}, but {kept} for the whole {needs}: "
        f'define it with @pytest.fixture(scope="{needs}").'
    )
