"""The suite on other Pythons and with other dependencies: `pip install nox`, then `nox -l` and `nox -s tests-3.12`.

CI does without: `make test-pythons` tries each Python that is there, the oldest with the oldest dependencies, but not
torch. Here is what takes a torch for each interpreter. On Linux the registry has it with gigabytes of CUDA packages
only; let `PIP_FIND_LINKS` or `PIP_INDEX_URL` lead to builds for the CPU.
"""

from __future__ import annotations

import re

import nox

nox.needs_version = ">=2024.4.15"
nox.options.error_on_missing_interpreters = False  # those that are not here are skipped, with a line
nox.options.default_venv_backend = "venv"

PROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14"]
OLDEST = [re.sub(r">=(.+)", r"==\1.*", need) for need in PROJECT["project"]["dependencies"]]
TESTS = ["-n", "2", "--dist", "loadfile", "-q", "-p", "no:benchmark"]
VARIED = ["pytest", "numpy", "scikit-learn", "torch"]


def _install(session: nox.Session, *pinned: str) -> None:
    """Install the project as its users do, with the tools of the group dev, and what is pinned."""
    session.install(".", *nox.project.dependency_groups(PROJECT, "dev"), *pinned)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the suite with the newest of everything."""
    _install(session)
    session.run("pytest", *TESTS, *session.posargs)


@nox.session(python=PYTHONS[:2])
def oldest(session: nox.Session) -> None:
    """Run the suite with every dependency at its floor; newer Pythons have no builds of these."""
    _install(session, *OLDEST)
    session.run("pytest", *TESTS, *session.posargs)


@nox.session(python="3.11")
@nox.parametrize("version", ["oldest", "newest"])
@nox.parametrize("package", VARIED)
def one(session: nox.Session, package: str, version: str) -> None:
    """Run the suite with one dependency at its floor, or at the next release that can be tried."""
    floor = next(need for need in OLDEST if need.startswith(f"{package}=="))
    _install(session, *([floor] if version == "oldest" else []))
    if version == "newest":
        session.install("--upgrade", "--pre", package)
    session.run("pytest", *TESTS, *session.posargs)
