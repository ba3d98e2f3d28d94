"""Loading the plugin costs nothing, and it can be switched off."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugin.conftest import Suite

HEAVY = ("torch", "sklearn", "scipy", "hypothesis", "jinja2", "matplotlib", "numpy")


@pytest.mark.parametrize("module", ["pytest_unlearn", "pytest_unlearn.plugin", "pytest_unlearn.fixtures"])
def test_nothing_heavy_is_imported(module: str) -> None:
    code = f"import sys, {module}; print([name for name in {HEAVY} if name in sys.modules])"
    root = Path(__file__).parents[2]
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root).stdout
    assert loaded.strip() == "[]"


def test_every_public_name_can_be_had() -> None:
    import pytest_unlearn

    for name in pytest_unlearn.__all__:
        assert getattr(pytest_unlearn, name) is not None
    assert set(pytest_unlearn.__all__) <= set(dir(pytest_unlearn))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = pytest_unlearn.nothing


@pytest.fixture
def installed(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> Suite:
    """The plugin found by its entry point, in a dist-info of its own, whatever this environment has installed."""
    info = suite.path / "fake-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fake\nVersion: 0\n")
    (info / "entry_points.txt").write_text("[pytest11]\nunlearn = pytest_unlearn.plugin\n")
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    suite.plugins = ()
    return suite


def test_it_loads_through_its_entry_point(installed: Suite) -> None:
    installed.write(test_it="def test_a(): audit()")
    installed.run(subprocess=True).stdout.fnmatch_lines(["1 claim: 1 passed*"])


def test_it_can_be_switched_off(installed: Suite) -> None:
    installed.write(test_it="def test_a(): audit()\ndef test_b(unlearn_split): pass")
    result = installed.run("-p", "no:unlearn", subprocess=True)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*fixture 'unlearn_split' not found"])
    result.stdout.no_fnmatch_line("*unlearning audit*")


def test_it_can_be_loaded_by_name_without_autoload(suite: Suite) -> None:
    suite.plugins = ("-ppytest_unlearn.plugin",)
    suite.write(test_it="def test_a(): audit()")
    suite.run(subprocess=True).stdout.fnmatch_lines(["1 claim: 1 passed*"])
