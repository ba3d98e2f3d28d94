"""One name means one thing, and every summary fits on a line."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "pytest_unlearn"
MODULES = {path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_bytes()) for path in PACKAGE.rglob("*.py")}
LONG = ("attacks/", "claims/", "core/", "metrics/", "search/", "statistics/", "testing/")
"""Where summaries may still be longer than 80 characters."""
SHORT = ("core/figures.py", "core/progress.py", "core/recorder.py", "core/settings.py", "testing/assertions.py",
         "testing/failures.py", "testing/unlearners.py")  # fmt: skip


def summaries(node: ast.AST, place: str) -> Iterator[tuple[str, str]]:
    """Yield the summary of a module and of all that is public in it."""
    if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
        yield place, (ast.get_docstring(node) or "").partition("\n")[0]
        for part in node.body:
            if isinstance(part, (ast.ClassDef, ast.FunctionDef)) and not part.name.startswith("_"):
                yield from summaries(part, f"{place}:{part.name}")


def test_no_two_public_classes_share_a_name() -> None:
    places = defaultdict(list)
    for module, tree in MODULES.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(module)
    assert not {name: found for name, found in places.items() if len(found) > 1}


def test_every_public_summary_fits_on_a_line() -> None:
    checked = [module for module in MODULES if not module.startswith(LONG) or module in SHORT]
    found = [summary for module in checked for summary in summaries(MODULES[module], module)]
    assert len(found) > 100
    assert not [(place, text) for place, text in found if len(text) > 80]
