"""The house keeps its shape: imports go one way, files have one job."""

import ast
import os
import shutil
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SOURCES = [path for package in ("pytest_unlearn", "unlearners") for path in sorted((ROOT / package).rglob("*.py"))]


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    program = "from importlinter.cli import lint_imports; import sys; sys.exit(lint_imports(no_cache=True))"
    environment = {**os.environ, "PYTHONPATH": str(root)}
    return subprocess.run(
        [sys.executable, "-c", program], cwd=root, env=environment, capture_output=True, text=True, check=False
    )


def test_import_contracts_are_kept():
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_has_two_jobs(path):
    assert len(path.read_text().splitlines()) <= 500


def test_torchvision_is_never_imported():
    assert not [path for path in SOURCES if "torchvision" in path.read_text()]


def test_nothing_is_unpickled():
    for path in SOURCES:
        text = path.read_text()
        assert "pickle.load" not in text
        assert "torch.load(" not in text
        assert "joblib.load(" not in text


def test_a_new_top_level_module_breaks_the_contract(tmp_path):
    for name in ("pytest_unlearn", "unlearners", "pyproject.toml"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tmp_path / name)
    (tmp_path / "pytest_unlearn" / "loose.py").write_text('"""A room that no row of the contract names."""\n')
    done = lint_imports(tmp_path)
    assert done.returncode == 1
    assert "loose" in done.stdout


def imported(path: Path) -> set[str]:
    """The modules of the auditor that a file imports, in functions too, but for type checkers."""
    found, todo = set(), [ast.parse(path.read_bytes())]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            continue
        todo += ast.iter_child_nodes(node)
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def test_no_files_import_each_other_in_a_circle():
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in SOURCES
        if path.is_relative_to(ROOT / "pytest_unlearn")
    }
    graph = {name: imported(path) & set(modules) - {name} for name, path in modules.items()}
    # A package's __init__ runs before its modules, and gathers their names; that is no circle.
    graph = {name: {other for other in others if not name.startswith(f"{other}.")} for name, others in graph.items()}
    assert list(TopologicalSorter(graph).static_order())
