"""Find what kept audits from running and left no trace among deselected tests."""

from __future__ import annotations

import ast
import fnmatch
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

WORDS = (b"pytest_unlearn", b"unlearned_model", b"mark.unlearn")
PROMPT = b">>>"
FLAGS = {
    "lf": "--last-failed was given",  # skips whole files before they are collected
    "setuponly": "--setup-only or --setup-plan was given, so that no test was called",
    "ignore_glob": "--ignore-glob was given",
}
SELECTING = ("testpaths", "norecursedirs", "python_files", "python_classes", "python_functions")


def cli_restrictions(config: pytest.Config) -> list[str]:
    """List what on the command line may have kept audits from being run."""
    reasons = [reason for option, reason in FLAGS.items() if config.getoption(option, None)]
    if any("::" in str(argument) for argument in config.args):
        reasons.append("node ids were given")
    given = {str(text).partition("=")[0].strip() for text in config.getoption("override_ini", None) or ()}
    reasons += [f"-o {name} was given" for name in SELECTING if name in given]
    ignored = [_absolute(config, path) for path in config.getoption("ignore", None) or ()]
    return reasons + [f"--ignore left out {display_path(config, path)}" for path in ignored if _missed(config, path)]


def uncollected_audits(config: pytest.Config, files: set[Path], items: Iterable[pytest.Item]) -> Iterator[str]:
    """Yield audits whose files are there but were not collected."""
    names: dict[Path, set[str]] = {}
    for item in items:
        names.setdefault(item.path, set()).add(getattr(item, "originalname", None) or item.name)
    if not config.getoption("pyargs", False):
        places = [_absolute(config, str(argument)) for argument in config.args]
        there = {path for place in places for path in _tests(config, place) if path.suffix == ".py"}
        ignored = [_absolute(config, path) for path in config.getoption("ignore", None) or ()]
        for path in sorted(there - files):
            if mentions_audits(path) and not any(place in (path, *path.parents) for place in ignored):
                yield f"{display_path(config, path)}, which speaks of audits, was not collected"
    for path in sorted(set(names)):
        if mentions_audits(path):
            for name in sorted(_asserting_tests(path) - names[path]):
                yield f"{name} in {display_path(config, path)} asserts what an audit does, and was not collected"


def _asserting_tests(path: Path) -> set[str]:
    """Find the test functions and methods of a file that name an assertion of ours."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return set()
    bodies = [tree.body, *(node.body for node in tree.body if isinstance(node, ast.ClassDef))]
    functions = [node for body in bodies for node in body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    return {one.name for one in functions if one.name.startswith("test") and _asserts(one)}


def _asserts(function: ast.AST) -> bool:
    from pytest_unlearn.core.claim_table import assertion_names

    found = (getattr(node, "id", getattr(node, "attr", "")) for node in ast.walk(function))
    return not assertion_names().isdisjoint(map(str, found))


def holds_doctests_alone(collector: pytest.Module) -> bool:
    """Tell whether a file is read for its doctests, and can hold no other test.

    A text that the command line names is; where it has a prompt and yet no test, it may hide an audit.
    """
    kind = type(collector).__name__
    if kind != "DoctestTextfile" or collector.path.suffix == ".py":
        return kind == "DoctestModule"
    try:
        return PROMPT not in collector.path.read_bytes()
    except OSError:
        return False


def mentions_audits(path: Path) -> bool:
    """Tell whether a file names this package, its marker or the model it judges."""
    try:
        text = path.read_bytes()
    except OSError:
        return False
    return any(word in text for word in WORDS)


def display_path(config: pytest.Config, path: Path) -> str:
    """Shorten a path to what reports may show: relative to the root, or its name."""
    return path.relative_to(config.rootpath).as_posix() if config.rootpath in path.parents else path.name


def _missed(config: pytest.Config, ignored: Path) -> bool:
    """Tell whether an ignored path lies where tests are looked for and holds an audit."""
    places = [_absolute(config, str(argument)) for argument in config.args]
    apart = not any(place == ignored or place in ignored.parents or ignored in place.parents for place in places)
    if apart and not config.getoption("pyargs", False):
        return False
    return any(mentions_audits(path) for path in _tests(config, ignored))


def _tests(config: pytest.Config, path: Path) -> Iterator[Path]:
    """Yield the test files that would have been collected from here."""
    if path.is_file():
        yield path
    elif path.is_dir() and not _never_entered(config, path):
        for child in sorted(path.iterdir()):
            if child.is_dir() or any(fnmatch.fnmatch(child.name, glob) for glob in config.getini("python_files")):
                yield from _tests(config, child)


def _never_entered(config: pytest.Config, directory: Path) -> bool:
    excluded = any(fnmatch.fnmatch(directory.name, glob) for glob in config.getini("norecursedirs"))
    return excluded or directory.is_symlink() or (directory / "pyvenv.cfg").is_file()


def _absolute(config: pytest.Config, argument: str) -> Path:
    return (config.invocation_params.dir / argument.partition("::")[0]).resolve()
