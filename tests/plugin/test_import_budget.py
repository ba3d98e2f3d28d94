"""Loading the plugin costs nothing: it is loaded in every run of every project that has it installed."""

from __future__ import annotations

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


def test_every_public_name_can_be_had() -> None:
    import pytest_unlearn

    for name in pytest_unlearn.__all__:
        assert getattr(pytest_unlearn, name) is not None
    assert set(pytest_unlearn.__all__) <= set(dir(pytest_unlearn))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = pytest_unlearn.nothing
