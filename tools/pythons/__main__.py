"""Tries the project on the other Pythons of this machine: `python -m tools.pythons [VERSION ...]`.

Each gets an environment of its own in `.venv-VERSION`, with every dependency but torch, of which the registry has no
build for the CPU. The oldest Python takes the oldest dependencies that pyproject.toml allows, the others the newest.
Every module is imported, and the tests that need no torch run. A Python that is not here is passed over with a line.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[2]
DISTRIBUTION = "pytest-unlearn"
TOOLS = (
    "allure-pytest",
    "flaky",
    "huggingface-hub",
    "in-toto-attestation",
    "mpmath",
    "prometheus-client",
    "pytest-html",
    "pytest-rerunfailures",
    "pytest-xdist",
    "pyyaml",
    "securesystemslib",
    "sigstore",
    "xmlschema",
)  # plugins that tests load
TESTS = (
    "tests/unit",
    "tests/published",
    "tests/metrics",
    "tests/claims",
    "tests/conformance",
    "tests/plugin",
    "tests/cli",
)
BETWEEN = ("tests/unit/core", "tests/unit/data", "tests/unit/report")


def promised() -> list[str]:
    """List the Pythons that the classifiers name, oldest first."""
    classifiers = metadata.metadata(DISTRIBUTION).get_all("Classifier") or []
    found = [re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", line) for line in classifiers]
    return sorted((match[1] for match in found if match), key=lambda version: int(version.split(".")[1]))


def dependencies(*, oldest: bool) -> list[str]:
    """List what the project needs, torch left out, for pip: as declared, or each at its floor."""
    declared = metadata.requires(DISTRIBUTION) or []
    needed = [line for line in declared if "extra ==" not in line and not line.startswith("torch>")]
    return [re.sub(r">=([^;]+)", r"==\1.*", line) for line in needed] if oldest else needed


def interpreter(version: str) -> str | None:
    """Find a Python of this version that runs: on the path, else among pyenv's."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates = [shutil.which(f"python{version}"), *map(str, sorted(pyenv.glob(f"versions/{version}.*/bin/python")))]
    for candidate in filter(None, candidates):  # pyenv's shims stand on the path for versions that are switched off
        if subprocess.run([candidate, "-c", ""], capture_output=True, check=False).returncode == 0:
            return candidate
    return None


def built(folder: Path) -> Path:
    """Build the project's wheel, which every environment installs."""
    pip = [sys.executable, "-m", "pip", "wheel", "-qq", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*pip, "--wheel-dir", str(folder), str(ROOT)], check=True)
    return next(folder.glob("*.whl"))


def environment(version: str, python: str, wanted: list[str]) -> Path:
    """Make or reuse the environment of a version, and return its Python."""
    folder = ROOT / f".venv-{version}"
    executable, stamp = folder / "bin" / "python", folder / ".installed"
    state = "\n".join([python, *wanted])
    if not stamp.is_file() or stamp.read_text() != state:
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([python, "-m", "venv", str(folder)], check=True)
        subprocess.run([*_pip(executable), *wanted], check=True)
        stamp.write_text(state)
    return executable


def _pip(executable: Path) -> list[str]:
    return [str(executable), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]


def passes(executable: Path, wheel: Path, tests: Sequence[str] = TESTS) -> bool:
    """Install the wheel, import every module and run the tests that need no torch."""
    without_torch = ["-p", "tools.pythons.without_torch", "-p", "no:cacheprovider"]
    commands = [
        [*_pip(executable), "--no-deps", "--force-reinstall", str(wheel)],
        [str(executable), "-m", "tools.pythons.imports"],
        [str(executable), "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile", *without_torch, *tests],
    ]
    return all(subprocess.run(command, cwd=ROOT, check=False).returncode == 0 for command in commands)


def main(versions: list[str]) -> int:
    """Try the named versions, or all that are promised but the running one."""
    names = promised()
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        wheel = built(Path(folder))
        for version in versions or [name for name in names if name != f"3.{sys.version_info.minor}"]:
            if (python := interpreter(version)) is None:
                print(f"Python {version}: not on this machine, not tried", flush=True)
                continue
            begin, oldest = time.monotonic(), version == names[0]
            print(f"Python {version}, the {'oldest' if oldest else 'newest'} dependencies:", flush=True)
            # Those between the oldest and the newest differ from both in little: the smallest tests show it.
            tests = TESTS if version in (names[0], names[-1]) else BETWEEN
            if not passes(environment(version, python, [*dependencies(oldest=oldest), *TOOLS]), wheel, tests):
                failed.append(version)
            result = "failed" if version in failed else "fine"
            print(f"Python {version}: {result}, {time.monotonic() - begin:.0f} s", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
