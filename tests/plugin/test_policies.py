"""pytest --unlearn-policies prints the table and runs nothing."""

from __future__ import annotations

import pytest

from pytest_unlearn.claims.policies import lines
from tests.plugin.conftest import Suite

TESTS = "def test_a():\n    raise AssertionError('ran')"


@pytest.mark.parametrize("more", [(), ("-q",), ("-n2",), ("--unlearn-gate",)], ids=["plain", "quiet", "xdist", "gate"])
def test_it_prints_every_line_and_no_test_runs(suite: Suite, more: tuple[str, ...]) -> None:
    suite.write(test_it=TESTS)
    before = sorted(suite.path.rglob("*.py"))
    result = suite.run("--unlearn-policies", *more)
    assert result.ret == 0
    shown = result.stdout.str()
    for line in lines():
        assert line in shown
    assert "test_a" not in shown
    assert not (suite.path / ".unlearn").exists()
    assert sorted(suite.path.rglob("*.py")) == before


def test_without_it_tests_run_and_the_help_names_it(suite: Suite) -> None:
    suite.write(test_it=TESTS)
    result = suite.run()
    assert result.ret == 1
    assert "standard:" not in result.stdout.str()
    suite.run("--help").stdout.fnmatch_lines(["*--unlearn-policies*list the policies of assert_release*"])
