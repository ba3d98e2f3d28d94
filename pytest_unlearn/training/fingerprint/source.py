"""Digest a source file without its comments, docstrings and layout."""

from __future__ import annotations

import ast
import functools
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from pytest_unlearn.training.fingerprint.fixtures import drop_inert_fixtures

_IMPORTERS = ("import_module", "__import__")
_Definition = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, slots=True)
class Import:
    """Hold `from <level dots><module> import <names>`; a plain import has no names."""

    level: int
    module: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Parsed:
    """Hold a source file's digest, its imports, and its functions' by position."""

    digest: str
    imports: tuple[Import, ...] = ()
    functions: dict[tuple[str, int], str] = field(default_factory=dict)


@functools.lru_cache(maxsize=512)
def parse(source: bytes, *, without_inert_fixtures: bool = False) -> Parsed:
    """Digest a source file; comments, docstrings and layout change nothing.

    Args:
        source: the file's bytes. What does not parse is digested as it is.
        without_inert_fixtures: whether fixtures that can change nothing but what they return are left out.

    Returns:
        The digest, the imports, and for each function `(name, first line, decorators included)` its own digest.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return Parsed(hashlib.sha256(source).hexdigest())
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, *_Definition)) and ast.get_docstring(node, False) is not None:
            del node.body[0]
    functions = {
        (node.name, min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])): _digest(node)
        for node in ast.walk(tree)
        if isinstance(node, _Definition)
    }
    if without_inert_fixtures:
        drop_inert_fixtures(tree)
    return Parsed(_digest(tree), tuple(_imports(tree)), functions)


def _digest(node: ast.AST) -> str:
    return hashlib.sha256(ast.dump(node).encode("utf-8", "surrogatepass")).hexdigest()


def _imports(tree: ast.AST) -> Iterator[Import]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(0, alias.name)
        elif isinstance(node, ast.ImportFrom):
            yield Import(node.level, node.module or "", tuple(alias.name for alias in node.names))
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in _IMPORTERS:
            # An import statement in disguise, as long as the name is written out.
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str) and not first.value.startswith("."):
                yield Import(0, first.value)
