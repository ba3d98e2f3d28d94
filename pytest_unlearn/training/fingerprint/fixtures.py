"""Find the fixtures of a conftest.py that no training can depend on.

A fixture that only computes a value, from constants and its arguments, matters to a recipe through that value alone,
and values are digested where they arrive. Any doubt leaves it in: one that calls something, imports, stores into what
is not its own, is used automatically, or whose name the file speaks of elsewhere may set what a training reads.
"""

from __future__ import annotations

import ast

_PURE = frozenset({"abs", "bool", "dict", "enumerate", "float", "frozenset", "int", "len", "list", "max", "min",
                   "range", "round", "set", "sorted", "str", "sum", "tuple", "zip"})  # fmt: skip
_OPEN = frozenset({"globals", "locals", "vars", "eval", "exec", "getattr", "__import__"})
_QUIET = (
    *(ast.FunctionDef, ast.arguments, ast.arg, ast.Return, ast.Pass, ast.Assert, ast.If, ast.For, ast.Raise),
    *(ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr, ast.Yield, ast.keyword, ast.Starred, ast.expr_context),
    *(ast.Constant, ast.Name, ast.Tuple, ast.List, ast.Set, ast.Dict, ast.Subscript, ast.Slice, ast.Call),
    *(ast.BoolOp, ast.BinOp, ast.UnaryOp, ast.Compare, ast.IfExp, ast.JoinedStr, ast.FormattedValue),
    *(ast.boolop, ast.operator, ast.unaryop, ast.cmpop, ast.ListComp, ast.SetComp, ast.DictComp, ast.comprehension),
)


def drop_inert_fixtures(tree: ast.Module) -> None:
    """Remove the fixtures that can change nothing but what they return."""
    named = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
    if not _OPEN.isdisjoint(named):
        return  # what finds names by text may find any
    rebound = _bound(tree)
    if not rebound.isdisjoint(_PURE):
        return
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    tree.body = [
        node
        for node in tree.body
        if not (
            isinstance(node, ast.FunctionDef) and _inert(node) and node.name not in named and node.name not in texts
        )
    ]


def _bound(tree: ast.Module) -> set[str]:
    """Return the names that the file gives a meaning, however deep."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.alias):
            # A star may bind anything, as far as can be seen from here.
            found |= set(_PURE) if node.name == "*" else {node.asname or node.name}
    return found


def _inert(function: ast.FunctionDef) -> bool:
    """Tell whether a function is a fixture, used where asked for, that only computes a value."""
    if len(function.decorator_list) != 1 or not _is_fixture(function.decorator_list[0]):
        return False
    inside = [node for part in (function.args, *function.body) for node in ast.walk(part)]
    return all(isinstance(node, _QUIET) and _quiet(node) for node in inside)


def _is_fixture(decorator: ast.expr) -> bool:
    """Tell whether it is `@pytest.fixture`, with no more than a scope."""
    if isinstance(decorator, ast.Call):
        plain = not decorator.args and all(
            keyword.arg == "scope" and isinstance(keyword.value, ast.Constant) for keyword in decorator.keywords
        )
        return plain and _is_fixture(decorator.func)
    return (
        isinstance(decorator, ast.Attribute)
        and decorator.attr == "fixture"
        and isinstance(decorator.value, ast.Name)
        and decorator.value.id == "pytest"
    )


def _quiet(node: ast.AST) -> bool:
    if isinstance(node, ast.FunctionDef):
        return False  # a function within it may be a recipe
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in _PURE
    if isinstance(node, ast.Subscript):
        return isinstance(node.ctx, ast.Load)
    if isinstance(node, ast.Expr):
        return isinstance(node.value, (ast.Constant, ast.Yield))
    # `x += y` changes a list in place, and the list may be anybody's.
    return not isinstance(node, ast.AugAssign)
