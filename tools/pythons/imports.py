"""Imports every module of both packages on this interpreter: `python -m tools.pythons.imports`.

Where torch is missing, modules that import it at their top are imported over a stand-in that has any attribute. So the
body of every module runs: what a newer Python has and this one lacks is found without gigabytes of torch.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).parents[2]
PACKAGES = ("pytest_unlearn", "unlearners")


def module_names(packages: Iterable[str] = PACKAGES, root: Path = ROOT) -> list[str]:
    """List every module of the packages, except those that run when they are imported."""
    paths = [path for package in packages for path in sorted((root / package).rglob("*.py"))]
    parts = [path.relative_to(root).with_suffix("").parts for path in paths]
    names = (".".join(part[:-1] if part[-1] == "__init__" else part) for part in parts)
    return [name for name in names if not name.endswith(".__main__")]


class _Anything(type):
    """The type of a class that has every attribute, can be subscripted, and returns a decorator when it is called."""

    def __getattr__(cls, name: str) -> _Anything:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Anything(name, (), {})

    def __getitem__(cls, key: object) -> _Anything:
        return cls

    def __call__(cls, *_: Any, **__: Any) -> Callable[[Any], Any]:
        return lambda decorated: decorated


class StandIn(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds `torch` and whatever is below it, and makes modules of which every attribute is a class."""

    def find_spec(self, fullname: str, *_: object) -> importlib.machinery.ModuleSpec | None:
        """Answer for torch alone."""
        if fullname.split(".")[0] != "torch":
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def exec_module(self, module: ModuleType) -> None:
        """Give the module any attribute."""

        def attribute(name: str) -> _Anything:
            if name.startswith("__"):
                raise AttributeError(name)
            return _Anything(name, (), {})

        module.__getattr__ = attribute  # type: ignore[method-assign]


def main() -> None:
    """Import everything; an error other than torch's absence ends the program."""
    needing: list[str] = []
    names = module_names()
    for name in names:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            if (error.name or "").split(".")[0] != "torch":
                raise
            needing.append(name)
    print(f"{len(names) - len(needing)} modules imported", flush=True)
    if needing:
        sys.meta_path.append(StandIn())
        for name in needing:
            importlib.import_module(name)
        print(
            f"{len(needing)} imported over a stand-in for torch, which they import at their top: {', '.join(needing)}"
        )


if __name__ == "__main__":
    main()
