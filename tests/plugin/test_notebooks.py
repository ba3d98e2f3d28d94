"""A notebook that speaks of audits runs where the gate sees nothing of it, and is told so."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Suite

# As nbmake and nbval do it: an item of a file that is no Python module, whose code runs elsewhere.
COLLECTOR = """
import pytest
class Cells(pytest.Item):
    def runtest(self): pass
class Notebook(pytest.File):
    def collect(self): yield Cells.from_parent(self, name="cells")
def pytest_collect_file(file_path, parent):
    return Notebook.from_parent(parent, path=file_path) if file_path.suffix == ".ipynb" else None
"""
HINT = "audit.ipynb speaks of audits: its cells run in a kernel of their own*Make a test function*"


@pytest.mark.parametrize("arguments", [(), ("-n2",)])
def test_it_is_told_what_to_do(suite: Suite, arguments: tuple[str, ...]) -> None:
    suite.pytester.makeconftest(COLLECTOR)
    (suite.path / "audit.ipynb").write_text("from pytest_unlearn import assert_forgotten")
    (suite.path / "plot.ipynb").write_text("import matplotlib")
    result = suite.run("--unlearn-gate", *arguments)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*no evidence for the required claim 'forgotten'", HINT])
    result.stdout.no_fnmatch_line("*plot.ipynb*speaks*")


def test_beside_claims_that_are_proven_it_releases_all_the_same(suite: Suite) -> None:
    suite.pytester.makeconftest(COLLECTOR)
    suite.write(test_it="def test_a(): audit()")
    (suite.path / "audit.ipynb").write_text("from pytest_unlearn import assert_forgotten")
    result = suite.run("--unlearn-gate")
    assert result.ret == 0
    result.stdout.fnmatch_lines([HINT])
