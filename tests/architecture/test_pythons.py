"""What `make test-pythons` tries is what pyproject.toml promises, and it can fail."""

from __future__ import annotations

from importlib import metadata

import pytest

from tests.architecture.test_contracts import ROOT, SOURCES
from tools.pythons.__main__ import DISTRIBUTION, TESTS, dependencies, promised
from tools.pythons.imports import module_names


def test_every_promised_python_is_tried_from_the_oldest_on() -> None:
    assert metadata.metadata(DISTRIBUTION)["Requires-Python"] == f">={promised()[0]}"
    assert promised() == sorted(promised(), key=lambda version: int(version.split(".")[1]))


def test_the_oldest_dependencies_are_the_floors() -> None:
    assert "numpy==1.26.*" in dependencies(oldest=True)
    floors = [need.partition(";")[0] for need in dependencies(oldest=True)]
    assert all("==" in need and need.endswith(".*") for need in floors)
    assert len(dependencies(oldest=True)) == len(dependencies(oldest=False))
    assert not [need for need in dependencies(oldest=False) if need.startswith("torch")]


def test_every_module_is_imported_but_those_that_run() -> None:
    names = module_names()
    assert {"pytest_unlearn", "pytest_unlearn.task", "pytest_unlearn.core.evidence", "unlearners.decoys"} <= set(names)
    assert len(names) == len([path for path in SOURCES if path.name != "__main__.py"])


def test_its_tests_are_there() -> None:
    assert all((ROOT / folder).is_dir() for folder in TESTS)


def test_what_needs_torch_is_skipped_and_everything_else_counts(pytester: pytest.Pytester) -> None:
    missing = """raise ModuleNotFoundError("No module named '{0}'", name="{0}")"""
    pytester.makepyfile(
        test_a=f"def test_torch(): {missing.format('torch')}\ndef test_other(): {missing.format('other')}",
        test_b=missing.format("torch"),
        test_c=missing.format("other"),
    )
    result = pytester.runpytest("-p", "tools.pythons.without_torch", "--continue-on-collection-errors")
    result.assert_outcomes(skipped=2, failed=1, errors=1)
