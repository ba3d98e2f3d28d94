"""A pytest plugin for environments without torch: what needs it is skipped, everything else must pass.

Hypothesis may take its time, since a busy machine is no fault of a Python's.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

REASON = "needs torch"


def pytest_configure() -> None:
    """Let Hypothesis wait for slow draws."""
    settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("unhurried")


def _needs_torch(error: BaseException | None) -> bool:
    """Whether an error is torch's absence, at whatever depth of the chain of causes."""
    while error is not None:
        if isinstance(error, ModuleNotFoundError) and (error.name or "").split(".")[0] == "torch":
            return True
        error = error.__cause__ or error.__context__
    return False


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Skip what cannot be collected without torch."""
    report = yield
    if report.failed and "No module named 'torch" in str(report.longrepr):
        report.outcome = "skipped"
        report.longrepr = (str(collector.path), 0, REASON)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Skip what fails for want of torch."""
    report = yield
    if report.failed and call.excinfo is not None and _needs_torch(call.excinfo.value):
        report.outcome = "skipped"
        report.longrepr = (str(item.path), item.location[1] or 0, REASON)
    return report
