"""Loading the plugin costs nothing: it is loaded in every run of every project that has it installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "sklearn", "scipy", "hypothesis", "jinja2", "matplotlib", "numpy", "jsonschema", "xdist")


def test_nothing_heavy_is_imported() -> None:
    modules = "pytest_unlearn, pytest_unlearn.plugin.hooks, pytest_unlearn.plugin.fixtures"
    code = f"import sys, {modules}; print([name for name in {HEAVY} if name in sys.modules])"
    root = Path(__file__).parents[2]
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root).stdout
    assert loaded.strip() == "[]"


OF_AN_EMPTY_RUN = {
    "core": ("claim_limit", "identity", "order", "recorder", "settings", "text", "variables"),
    "plugin": (
        "allure_results", "capture", "cluster", "completeness", "conformance_summary", "crash_line", "discovery",
        "fixtures", "handover", "hooks", "opening", "overrides", "session",
    ),
    "report": ("excuse", "ledger"),
}  # fmt: skip
EMPTY_RUN = """
import importlib.metadata, json, sys, pytest
found, scans = importlib.metadata.distributions, []
importlib.metadata.distributions = lambda **kwargs: scans.append(1) or found(**kwargs)
assert pytest.main(["-q", "--rootdir=.", "-p", sys.argv[1]]) == 0
ours = sorted(name for name in sys.modules if name.partition(".")[0] == "pytest_unlearn")
print(json.dumps([ours, len(scans)]))
"""


@pytest.fixture(scope="module")
def empty_run(tmp_path_factory):
    """Say what a run of one empty test imports of this package, and how often it reads all packages' metadata."""
    folder = tmp_path_factory.mktemp("empty")
    (folder / "test_it.py").write_text("def test():\n    pass\n")
    (folder / "plain.py").write_text("")
    environment = {
        **os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONPATH": os.pathsep.join([str(folder), str(Path(__file__).parents[2])]),
    }  # fmt: skip

    def run(plugin: str) -> tuple[list[str], int]:
        done = subprocess.run(
            [sys.executable, "-c", EMPTY_RUN, plugin],
            cwd=folder, env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        modules, scans = json.loads(done.stdout.splitlines()[-1])
        return modules, scans

    return run


def test_an_empty_run_imports_neither_the_claims_nor_the_gate(empty_run) -> None:
    expected = {"pytest_unlearn"}
    for package, names in OF_AN_EMPTY_RUN.items():
        expected |= {f"pytest_unlearn.{package}", *(f"pytest_unlearn.{package}.{name}" for name in names)}
    assert set(empty_run("pytest_unlearn.plugin.hooks")[0]) == expected


def test_metadata_of_packages_are_read_no_more_often_than_with_any_plugin(empty_run) -> None:
    assert empty_run("pytest_unlearn.plugin.hooks")[1] == empty_run("plain")[1]


def test_the_help_of_unlearn_require_names_the_claims_that_a_gate_requires() -> None:
    from pytest_unlearn.plugin.hooks import REQUIRED
    from pytest_unlearn.report.gate import DEFAULT_REQUIRED, TEXT_REQUIRED

    assert f"{', '.join(DEFAULT_REQUIRED)}; of documents {', '.join(TEXT_REQUIRED)}" == REQUIRED


def test_every_public_name_can_be_had() -> None:
    import pytest_unlearn

    for name in pytest_unlearn.__all__:
        assert getattr(pytest_unlearn, name) is not None
    assert set(pytest_unlearn.__all__) <= set(dir(pytest_unlearn))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = pytest_unlearn.nothing
