"""Every method has a test of its own that FineTune in its place would not pass."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from unlearners import UNLEARNERS

HERE = Path(__file__).parent
SHARED = {"test_contract.py", "test_conformance.py", "test_replacement.py", "test_adapters.py", "test_tune.py"}
OWN = [path for path in sorted(HERE.rglob("test_*.py")) if path.name not in SHARED]


def own_tests(name: str) -> list[Path]:
    """The test files that speak of this method."""
    called = UNLEARNERS[name].__name__
    return [path for path in OWN if f" {called}" in path.read_text() or f"[{called}" in path.read_text()]


@pytest.mark.parametrize("name", UNLEARNERS)
def test_every_method_has_a_test_file(name):
    assert own_tests(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in UNLEARNERS if name != "fine-tune"])
def test_fine_tuning_in_its_place_fails_its_test(name):
    quietly = ["-q", "-x", "-p", "no:benchmark", "-p", "no:cacheprovider", "-p", "tests.methods.replaced"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *quietly, *map(str, own_tests(name))],
        env={**os.environ, "REPLACED_BY_FINE_TUNE": name, "OMP_NUM_THREADS": "1"},
        cwd=HERE.parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1, run.stdout[-2000:]
    assert "failed" in run.stdout.splitlines()[-1]
