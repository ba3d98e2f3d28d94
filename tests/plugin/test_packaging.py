"""The package is found by pytest, can be switched off, and says what it needs without forbidding what comes next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.plugin.conftest import Suite
from tests.plugin.inputs import INPUTS, OWN_MODELS, SPLIT

ROOT = Path(__file__).parents[2]
SUITE = "def test_a(): audit()"
COUNTED = "1 claim planned, 1 ran: 1 passed, 0 failed, 0 inconclusive, 0 invalid"


@pytest.fixture
def installed(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> Suite:
    """The plugin found by its entry point, in a dist-info of its own, whatever this environment has installed."""
    info = suite.path / "fake-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fake\nVersion: 0\n")
    (info / "entry_points.txt").write_text("[pytest11]\nunlearn = pytest_unlearn.plugin.hooks\n")
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    suite.plugins = ()
    return suite


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """pyproject.toml."""
    tomllib = pytest.importorskip("tomllib")
    document: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return document


@pytest.mark.slow
def test_it_loads_through_its_entry_point(installed: Suite) -> None:
    installed.write(test_it=SUITE)
    installed.run(subprocess=True).stdout.fnmatch_lines([COUNTED])


@pytest.mark.slow
def test_it_can_be_switched_off(installed: Suite) -> None:
    installed.write(test_it="def test_a(): audit()\ndef test_b(unlearn_split): pass")
    result = installed.run("-p", "no:unlearn", subprocess=True)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*fixture 'unlearn_split' not found"])
    result.stdout.no_fnmatch_line("*unlearning audit*")


def test_it_can_be_loaded_by_name_without_autoload_and_without_xdist(suite: Suite) -> None:
    suite.plugins = ("-ppytest_unlearn.plugin",)
    suite.write(test_it=SUITE)
    suite.run(subprocess=True).stdout.fnmatch_lines([COUNTED])


def test_the_gate_alone_cannot_be_switched_off(suite: Suite) -> None:
    suite.write(test_it=SUITE)
    result = suite.run("-p", "no:unlearn-session", "--unlearn-gate")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: -p no:unlearn-session would leave a gate that never blocks; *"])


def test_nor_what_finds_the_right_data(suite: Suite) -> None:
    result = suite.run("-p", "no:unlearn-sources", "--unlearn-gate")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: -p no:unlearn-sources would leave a gate that may judge other data; *"])


@pytest.mark.parametrize("part", ["", ".hooks", ".fixtures", ".overrides", ".session", ".conformance_summary"])
def test_a_part_that_is_switched_off_is_a_sentence_and_no_traceback(suite: Suite, part: str) -> None:
    suite.pytester.makeconftest(INPUTS + SPLIT + OWN_MODELS)
    suite.write(test_it="def test_a(unlearning_task): pass")
    result = suite.run("-Wignore", "-p", f"no:pytest_unlearn.plugin{part}")
    result.stdout.no_fnmatch_line("*KeyError*")
    if part == ".hooks":
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(["Half of pytest-unlearn is switched off: *"])
    elif part == ".fixtures":
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(["*fixture 'unlearning_task' not found"])
    else:
        result.assert_outcomes(passed=1)


def test_the_entry_point_and_the_classifiers_say_what_it_is(project: dict[str, Any]) -> None:
    assert project["project"]["entry-points"]["pytest11"] == {"unlearn": "pytest_unlearn.plugin.hooks"}
    classifiers = set(project["project"]["classifiers"])
    assert {"Framework :: Pytest", "Framework :: Hypothesis", "Typing :: Typed"} <= classifiers


def test_both_packages_are_built_and_typed(project: dict[str, Any]) -> None:
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert packages == ["pytest_unlearn", "unlearners"]
    assert all((ROOT / package / "py.typed").is_file() for package in packages)


def test_needs_have_a_floor_and_no_ceiling(project: dict[str, Any]) -> None:
    needs = [need.partition(";")[0] for need in project["project"]["dependencies"]]  # without where it is needed
    assert {"pytest>=8.4", "torch>=2.6"} <= set(needs)
    assert project["project"]["requires-python"] == ">=3.10"
    assert all(">=" in need and not set("<,~!") & set(need) and "==" not in need for need in needs)
