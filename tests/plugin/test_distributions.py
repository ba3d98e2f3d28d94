"""What is built for the registry installs in an empty environment, and its metadata are in order.

Wheel and sdist are built without a network, from what this environment has; so is the environment that they go into.
"""

from __future__ import annotations

import email.parser
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IN_A_RUN = """
import pytest_unlearn, unlearners
assert "fresh" in pytest_unlearn.__file__, pytest_unlearn.__file__
assert len(unlearners.UNLEARNERS) > 40
from pytest_unlearn.cli.init.command import KINDS, suite
assert all(len(suite(kind)) >= 2 for kind in KINDS)
"""

pytestmark = pytest.mark.slow


def call(*command: object, cwd: Path | None = None) -> str:
    # An environment of its own: nothing of the checkout is on its path.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST", "COV"))}
    done = subprocess.run([*map(str, command)], cwd=cwd, env=kept, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel and an sdist of what is committed or not, made from a copy without what runs have left."""
    for module in ("build", "hatchling"):
        pytest.importorskip(module)
    source, out = tmp_path_factory.mktemp("source") / "project", tmp_path_factory.mktemp("dist")
    left = shutil.ignore_patterns(".*", "__pycache__", "_build", "generated", "dist")
    shutil.copytree(ROOT, source, ignore=left)
    call(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, source)
    return out


def wheel(built: Path) -> Path:
    (found,) = built.glob("*.whl")
    return found


def sdist(built: Path) -> Path:
    (found,) = built.glob("*.tar.gz")
    return found


def fresh(folder: Path) -> Path:
    """An environment without this project, which sees the packages that this one has installed."""
    venv.EnvBuilder(with_pip=True, system_site_packages=False).create(folder)
    (packages,) = folder.glob("lib/python*/site-packages")
    # Not as a site folder: its .pth files would bring the checkout in.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin" / "python"


def installed(folder: Path, distribution: Path) -> Path:
    """The Python of a fresh environment that has this distribution."""
    python = fresh(folder / "fresh")
    call(python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation", distribution)
    return python


@pytest.mark.parametrize("kind", [wheel, sdist])
def test_it_installs_where_nothing_of_it_was(built: Path, tmp_path: Path, kind: Callable[[Path], Path]) -> None:
    python = installed(tmp_path, kind(built))
    call(python, "-c", IN_A_RUN, cwd=tmp_path)
    assert "--unlearn-gate" in call(python, "-m", "pytest", "--help", cwd=tmp_path)


@pytest.mark.long
def test_a_first_gate_runs_there(built: Path, tmp_path: Path) -> None:
    python = installed(tmp_path, wheel(built))
    call(python, "-m", "pytest_unlearn", "init", "--sklearn", "suite", cwd=tmp_path)
    assert "release gate: release" in call(python, "-m", "pytest", "--unlearn-gate", "--unlearn-report", cwd=tmp_path)
    assert (tmp_path / ".unlearn" / "report" / "index.html").is_file()


def test_both_hold_all_that_is_not_code_too_and_nothing_of_runs(built: Path) -> None:
    in_wheel = zipfile.ZipFile(wheel(built)).namelist()
    with tarfile.open(sdist(built)) as archive:
        in_sdist = archive.getnames()
    for suffix in ("pytest_unlearn/py.typed", "unlearners/py.typed", "report/schema/report-v1.json", "style.css",
                   "templates/conftest.py.txt", "pytest_unlearn/__init__.pyi"):  # fmt: skip
        assert any(name.endswith(suffix) for name in in_wheel), suffix
        assert any(name.endswith(suffix) for name in in_sdist), suffix
    assert {name.split("/")[0].split("-")[0] for name in in_wheel} == {"pytest_unlearn", "unlearners"}
    assert not [name for name in in_sdist if ".unlearn/" in name or "__pycache__" in name or "/.venv" in name]


def test_the_registry_would_take_them(built: Path) -> None:
    pytest.importorskip("twine")
    files = sorted(built.iterdir())
    said = call(sys.executable, "-m", "twine", "check", "--strict", *files)
    assert said.count("PASSED") == len(files) == 2


def test_the_metadata_say_what_is_needed_and_show_the_readme(built: Path) -> None:
    with zipfile.ZipFile(wheel(built)) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = email.parser.Parser().parsestr(archive.read(name).decode())
    needs = metadata.get_all("Requires-Dist") or []
    assert {need.split(">=")[0] for need in needs} >= {"pytest", "torch", "numpy", "scikit-learn"}
    assert metadata["Requires-Python"] == ">=3.10"
    assert metadata["License-Expression"] == "MIT"
    assert metadata.get_payload() == (ROOT / "README.md").read_text()
