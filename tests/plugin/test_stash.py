"""What the plugin keeps lies in stashes: nothing of it is an attribute of an object that belongs to pytest."""

from __future__ import annotations

from tests.plugin.conftest import Suite

LOOK = """
import pytest
def foreign(*things):
    return [name for thing in things for name in vars(thing) if "unlearn" in name or "recorder" in name]

@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item):
    assert foreign(item, item.session, item.config, item.parent) == []
    assert any("Recorder" in type(value).__name__ for value in item.stash._storage.values())
"""


def test_nothing_is_hung_on_items_session_or_config(suite: Suite) -> None:
    suite.pytester.makeconftest(LOOK)
    suite.write(test_it="@pytest.mark.unlearn(max_drop=0.1)\ndef test_a(unlearn_free=None): audit()")
    suite.run("--unlearn-report").assert_outcomes(passed=1)
