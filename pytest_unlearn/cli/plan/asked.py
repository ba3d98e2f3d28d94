"""Read off the code of tests what they claim, at limits that are constants there."""

from __future__ import annotations

import ast
import contextlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from textwrap import dedent
from typing import Any

from pytest_unlearn.claims.common.shadows import ONLINE
from pytest_unlearn.core import settings
from pytest_unlearn.core.claim_table import POLICY_NAMES, TABLE, Planned
from pytest_unlearn.core.settings import Layers, Setting

RELEASE = "release"
SETTINGS: Mapping[Planned, tuple[str, ...]] = {
    "limit": ("max_mia_auc", "confidence", "max_share_left"),
    "share": ("min_reduction", "confidence"),
    "runs": ("max_mia_auc", "confidence", "max_share_left"),
    "search": ("max_mia_auc", "confidence"),
}
"""What claims are judged by that the size of the request decides on, by how they are planned."""
COUNTED = ("runs", "requests", "budget")  # arguments that say how much is done


@dataclass(frozen=True)
class Call:
    """An assertion or audit in a test's code.

    `given` has the arguments that are constants there, `computed` names the others: what they come to is not seen.
    """

    claim: str
    given: Mapping[str, Any]
    computed: frozenset[str]


@dataclass(frozen=True)
class Asked:
    """A claim at the settings that it will be judged by, as far as they are seen.

    `planned` is how it is foretold; `release` says that a whole release asks it.
    """

    planned: Planned
    settings: Mapping[str, Setting]
    given: Mapping[str, Any] = field(default_factory=dict)
    computed: frozenset[str] = frozenset()
    release: bool = False

    @property
    def online(self) -> bool:
        """Whether shadow models are trained for it."""
        return self.given.get("attacks") == ONLINE

    def with_settings(self, given: Mapping[str, Setting]) -> Asked:
        """Return it at other settings, of those that it is judged by."""
        own = {name: given.get(name, setting) for name, setting in self.settings.items()}
        return replace(self, settings=own, computed=self.computed - set(given))

    @property
    def values(self) -> tuple[Any, ...]:
        """What tells it from another one."""
        seen = tuple((name, setting.value) for name, setting in sorted(self.settings.items()))
        return self.planned, seen, tuple(sorted((name, repr(one)) for name, one in self.given.items())), self.computed


def calls_of(test: Any) -> tuple[Call, ...]:
    """List the claims in a test's own code, in order; a helper's are not seen."""
    function = inspect.unwrap(getattr(test, "obj", test))
    source = ""
    with contextlib.suppress(OSError, TypeError):  # a test made by other code has no source
        source = dedent(inspect.getsource(function))
    tree: ast.AST = ast.Module([], [])
    with contextlib.suppress(SyntaxError):  # a piece that does not stand by itself
        tree = ast.parse(source)
    known = getattr(function, "__globals__", {})
    found = [(node.lineno, node.col_offset, node) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    calls = (_call(node, known) for _, _, node in sorted(found, key=lambda one: one[:2]))
    return tuple(call for call in calls if call is not None)


def _call(node: ast.Call, known: Mapping[str, Any]) -> Call | None:
    name = str(getattr(node.func, "id", getattr(node.func, "attr", "")))
    kind, _, claim = name.partition("_")
    if kind not in ("assert", "audit") or (claim not in TABLE and claim != RELEASE):
        return None
    names = [one.name for one in inspect.signature(_audit(claim)).parameters.values() if one.kind != one.KEYWORD_ONLY]
    passed = dict(zip(names, node.args, strict=False))
    passed |= {word.arg: word.value for word in node.keywords if word.arg is not None}
    read = {argument: _constant(value, known) for argument, value in passed.items()}
    if any(getattr(one, "value", None) == ONLINE for one in getattr(passed.get("attacks"), "elts", ())):
        read["attacks"] = ONLINE  # among others
    computed = {argument for argument, value in read.items() if value is None}
    if any(word.arg is None for word in node.keywords) or any(isinstance(one, ast.Starred) for one in node.args):
        computed |= {argument for argument in inspect.signature(_audit(claim)).parameters if argument not in passed}
    return Call(claim, {argument: value for argument, value in read.items() if value is not None}, frozenset(computed))


def _audit(claim: str) -> Callable[..., Any]:
    if claim != RELEASE:
        return TABLE[claim].audit()
    from pytest_unlearn.claims.release import audit_release

    return audit_release


def _constant(node: ast.AST, known: Mapping[str, Any]) -> Any:
    """Return a number or text that stands in the code, or that a name of its module holds; None for anything else."""
    value = getattr(node, "value", None) if isinstance(node, ast.Constant) else None
    if isinstance(node, ast.Name):
        value = known.get(node.id)
    return value if isinstance(value, (int, float, str)) else None


def asked_by(test: Any, layers: Layers) -> Iterator[Asked]:
    """Yield what a test claims that its request's size decides on.

    A test that names no claim itself, but leaves it to a helper, is taken to judge the request at what is configured.

    Args:
        test: a test function, or pytest's item of one.
        layers: the settings of its marker, of the command line and of the ini file.
    """
    calls = calls_of(test)
    for call in calls:
        release = call.claim == RELEASE
        planned = "limit" if release else TABLE[call.claim].planned
        if planned:
            yield _at(planned, call, layers, release=release)
        if release and call.given.get("policy") == POLICY_NAMES[-1]:
            yield _at("runs", call, layers, release=True)
    if not calls:
        yield _at("limit", Call("", {}, frozenset()), layers)


def _at(planned: Planned, call: Call, layers: Layers, *, release: bool = False) -> Asked:
    found = {}
    for name in SETTINGS[planned]:
        found[name] = settings.resolve(name, None, layers)
        with contextlib.suppress(ValueError):  # a value out of range fails its own test
            found[name] = settings.resolve(name, call.given.get(name), layers)
    given = {name: call.given[name] for name in COUNTED if name in call.given}
    if call.given.get("attacks") == ONLINE:
        given["attacks"] = ONLINE
    return Asked(planned, found, given, call.computed & {*SETTINGS[planned], *COUNTED}, release)
