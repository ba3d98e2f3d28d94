"""A mini-suite in which tests record evidence built by hand, and the session it runs in."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import hypothesis  # noqa: F401 - what is imported here survives pytester's clean-up of sys.modules between runs
import pytest

import pytest_unlearn.core.evidence
import pytest_unlearn.plugin.fixtures
import pytest_unlearn.plugin.hooks
import pytest_unlearn.testing.stress  # noqa: F401

EVIDENCES = (Path(__file__).parent.parent / "evidences.py").read_text()
HELPERS = """
from unlearn_evidences import Leak, evidence
from pytest_unlearn.core.recorder import record

def audit(verdict="PASS", *args, **kwargs):
    found = evidence(verdict, *args, **kwargs)
    record(found)
    if verdict != "PASS":
        raise Leak(found)
"""


class Suite:
    """A pytester directory with helpers; `run` loads only the plugins named here, whatever is installed."""

    plugins: tuple[str, ...] = tuple(
        f"-p{name}" for name in ("no:cacheprovider", "pytest_unlearn.plugin.hooks", "xdist")
    )

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        pytester.makepyfile(unlearn_evidences=EVIDENCES, unlearn_helpers=HELPERS)
        pytester.syspathinsert()

    @property
    def path(self) -> Path:
        """The directory the suite lies in, its root directory."""
        return self.pytester.path

    def write(self, **files: str) -> None:
        """Write test modules, with `audit`, `record` and `evidence` at hand."""
        head = "import os, pytest\nfrom unlearn_helpers import *\n"
        self.pytester.makepyfile(**{name: head + dedent(text) for name, text in files.items()})

    def run(self, *arguments: str, subprocess: bool = False) -> pytest.RunResult:
        """Run pytest in this process, or in its own when xdist is asked for."""
        arguments = (*self.plugins, *arguments)
        if any(argument.startswith("-n") for argument in arguments) or subprocess:
            return self.pytester.runpytest_subprocess(*arguments)
        return self.pytester.runpytest_inprocess(*arguments)

    def ini(self, *lines: str) -> None:
        """Write pytest.ini."""
        self.pytester.makeini("\n".join(("[pytest]", *lines)) + "\n")

    def report(self) -> dict[str, Any]:
        """The written report.json."""
        document: dict[str, Any] = json.loads((self.path / ".unlearn/report/report.json").read_text())
        return document


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Suite:
    """A mini-suite with hand-made evidence."""
    for name in (
        "PYTEST_ADDOPTS",
        "GITHUB_STEP_SUMMARY",
        "GITHUB_ACTIONS",
        "NO_COLOR",
        "FORCE_COLOR",
        "PY_COLORS",
        "CI",
    ):
        monkeypatch.delenv(name, raising=False)
    # A module that is written again within the second, at the same length, must not be taken for its bytecode.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parents[2]}:{pytester.path}")
    for name in [name for name in sys.modules if name.startswith("unlearn_")]:
        monkeypatch.delitem(sys.modules, name)
    return Suite(pytester)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The same statement with workers takes seconds: those runs are slow, and part of `make test-processes`."""
    for item in items:
        values = getattr(getattr(item, "callspec", None), "params", {}).values()
        if item.path.parent == Path(__file__).parent and any(
            "-n2" in value for value in values if type(value) is tuple
        ):
            item.add_marker(pytest.mark.slow)
