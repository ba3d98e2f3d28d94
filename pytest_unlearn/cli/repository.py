"""Find what the repository around the current directory asks of a release.

pytest finds root directory and ini file itself, as it would for a run; no conftest.py, plugin or `addopts` of the
repository has a say, because nothing here needs its code.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_unlearn.cli.console import Unusable
from pytest_unlearn.plugin import requirements
from pytest_unlearn.plugin.hooks import read_layers
from pytest_unlearn.plugin.requirements import Requirements

PLUGIN = "pytest_unlearn.plugin.hooks"
ALONE = ("--noconftest", "--collect-only", "-o", "addopts=", "-o", "required_plugins=", "-p", PLUGIN)
VARIABLES = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS")


@dataclass(frozen=True)
class Repository:
    """Hold a repository's root, the name of its ini file, and what is set there."""

    root: Path
    file: str
    demands: Requirements
    ini: Mapping[str, Any]


class _Reader:
    """Take what is needed of pytest's configuration, before a session starts."""

    found: Repository | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> int:
        ini = read_layers(config, None)["ini"]
        demands = requirements.read(config, {"ini": ini})
        self.found = Repository(config.rootpath, config.inipath.name if config.inipath else "no file", demands, ini)
        return 0


def read() -> Repository:
    """Read the settings of the repository around the current directory.

    Raises:
        Unusable: they cannot be used; pytest has said why.
    """
    reader = _Reader()
    with _without_variables():
        pytest.main(list(ALONE), plugins=[reader])
    if reader.found is None:
        raise Unusable("pytest does not accept the configuration of this directory (its message is above)")
    return reader.found


@contextlib.contextmanager
def _without_variables() -> Iterator[None]:
    """Hide what would load other code into pytest."""
    before = dict(os.environ)
    for name in VARIABLES:
        os.environ.pop(name, None)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
