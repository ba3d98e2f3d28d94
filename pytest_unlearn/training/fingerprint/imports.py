"""Find the project files that a recipe's code stands on, through its imports."""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.util
import os
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from importlib.machinery import PathFinder
from pathlib import Path

from pytest_unlearn.training.fingerprint.source import Import, parse

_OWN = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class _Place:
    """Note where a module was found: its file, if any, and where its submodules are."""

    file: Path | None
    search: tuple[str, ...] = ()


def is_project_file(path: str | Path | None) -> bool:
    """Tell whether a file is the user's: neither standard library nor installed."""
    if not path or not os.path.exists(path):
        return False
    parts = Path(path).resolve().parts
    if "site-packages" in parts or "dist-packages" in parts:
        return False
    return not any(parts[: len(library)] == library for library in _library_folders())


@functools.lru_cache(maxsize=1)
def _library_folders() -> tuple[tuple[str, ...], ...]:
    paths = sysconfig.get_paths()
    return tuple({Path(paths[name]).resolve().parts for name in ("stdlib", "platstdlib")})


def reach(root: Path) -> dict[str, str]:
    """Find everything a source file stands on, through other project files too.

    Args:
        root: a file of the user's project.

    Returns:
        Digests of project files by their path relative to `root`, versions of other packages by name, and the names
        that no module was found for.
    """
    importlib.invalidate_caches()
    start = root.resolve()
    waiting, found = [start], dict[str, str]()
    while waiting:
        file = waiting.pop()
        name = "file:" + os.path.relpath(file, start.parent).replace(os.sep, "/")
        if name in found:
            continue
        source = file.read_bytes()
        if file.suffix != ".py":
            found[name] = hashlib.sha256(source).hexdigest()
            continue
        parsed = parse(source, without_inert_fixtures=file == start and file.name == "conftest.py")
        found[name] = parsed.digest
        if _OWN in file.parents:
            # The auditor's own modules count by themselves, or every recipe would depend on how reports look.
            continue
        waiting += _packages_around(file)
        for statement in parsed.imports:
            for reached in _follow(statement, file):
                if isinstance(reached, Path):
                    waiting.append(reached)
                    if reached == start:  # who imports it may call its fixtures as functions
                        found["file:" + start.name] = parse(start.read_bytes()).digest
                else:
                    found["package:" + reached] = version_of(reached)
    return found


@functools.lru_cache(maxsize=512)
def version_of(package: str) -> str:
    """Look up a package's version by its import name; "missing" if there is none."""
    if package in sys.stdlib_module_names:
        return "standard library"
    try:
        return metadata.version({"sklearn": "scikit-learn"}.get(package, package))
    except metadata.PackageNotFoundError:
        names = sorted(set(metadata.packages_distributions().get(package, ())))
    return ", ".join(f"{name} {metadata.version(name)}" for name in names) or "missing"


def _packages_around(file: Path) -> Iterator[Path]:
    folder = file.parent
    while (folder / "__init__.py").is_file() and folder != folder.parent:
        yield folder / "__init__.py"
        folder = folder.parent


def _follow(statement: Import, importer: Path) -> Iterator[Path | str]:
    """Yield the project files that a statement loads, or the package it enters."""
    steps = statement.module.split(".") if statement.module else []
    place: _Place | None
    if statement.level:
        folder = importer.parents[min(statement.level, len(importer.parents)) - 1]
        place, name = _Place(None, (str(folder),)), "." * statement.level
    else:
        name, steps = steps[0], steps[1:]
        place = _top(name, importer)
    for step in [None, *steps]:
        if step is not None:
            name = f"{name}.{step}"
            place = place and _below(place, name)
        if place is None:
            yield name
            return
        if place.file is not None and not is_project_file(place.file):
            yield name.partition(".")[0]
            return
        if place.file is not None:
            yield place.file
        elif not statement.level and not any(is_project_file(folder) for folder in place.search):
            yield name
            return
    assert place is not None
    for name_imported in statement.names:
        inner = _below(place, f"{name}.{name_imported}")
        if inner is not None and inner.file is not None and is_project_file(inner.file):
            yield inner.file


def _top(name: str, importer: Path) -> _Place | None:
    """Find a top-level module as loaded, by the import system, or beside the file."""
    loaded = vars(sys.modules[name]) if sys.modules.get(name) is not None else {}
    if loaded.get("__file__") or loaded.get("__path__"):
        return _Place(_file(loaded.get("__file__")), tuple(loaded.get("__path__") or ()))
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        spec = None
    # pytest's importlib mode loads a conftest without its folder being on the path, so look beside it too.
    return _place(spec or PathFinder.find_spec(name, [str(importer.parent)]))


def _below(place: _Place, name: str) -> _Place | None:
    loaded = vars(sys.modules[name]) if sys.modules.get(name) is not None else {}
    if loaded.get("__file__"):
        return _Place(_file(loaded["__file__"]), tuple(loaded.get("__path__") or ()))
    try:
        return _place(PathFinder.find_spec(name, list(place.search)) if place.search else None)
    except KeyError:  # a folder without __init__.py, below a package that is not imported
        folders = (Path(folder) / name.rpartition(".")[2] for folder in place.search)
        return _Place(None, tuple(str(folder) for folder in folders if folder.is_dir()))


def _place(spec: importlib.machinery.ModuleSpec | None) -> _Place | None:
    return _Place(_file(spec.origin), tuple(spec.submodule_search_locations or ())) if spec else None


def _file(path: str | None) -> Path | None:
    return Path(path).resolve() if path and os.path.isfile(path) else None
