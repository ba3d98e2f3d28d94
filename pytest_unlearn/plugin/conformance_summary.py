"""Count the checks of unlearners that ran: a run of none must not look green.

Hooks only; loaded by the plugin in every run, so that nothing heavy is imported here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from typing import Any

import pytest

CHECK = "_unlearn_check"  # private attribute of a TestReport, which xdist carries: the unlearner's name
WORDS = ("passed", "failed", "failed as expected", "unsupported")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Write on the report that the test is a check, and of which unlearner."""
    report = yield
    check = getattr(getattr(item, "callspec", None), "params", {}).get("check")
    if check is not None and type(check).__module__ == "pytest_unlearn.testing.unlearners":
        setattr(report, CHECK, check.check.unlearner)
    return report


class Counting:
    """Keep the session's count, on the controller where there are workers."""

    def __init__(self) -> None:
        self.unlearners: set[str] = set()
        self.counts: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count how a check ended."""
        unlearner = getattr(report, CHECK, None)
        outcome = "" if unlearner is None else _outcome(report)
        if outcome:
            self.unlearners.add(str(unlearner))
            self.counts[outcome] += 1

    def pytest_terminal_summary(self, terminalreporter: Any, config: pytest.Config) -> None:
        """Print the counts."""
        if self.counts and config.get_verbosity() >= -1:
            terminalreporter.section("unlearner conformance")
            terminalreporter.write_line(headline(self.counts, len(self.unlearners)))


def headline(counts: Counter[str], unlearners: int) -> str:
    """Write the counts in one line."""
    checks = f"{counts.total()} check{'' if counts.total() == 1 else 's'} of {unlearners} unlearner"
    return f"{checks}{'' if unlearners == 1 else 's'} ran: " + ", ".join(f"{counts[word]} {word}" for word in WORDS)


def pytest_configure(config: pytest.Config) -> None:
    """Count in every process; only the controller has a terminal to print on."""
    config.pluginmanager.register(Counting(), "unlearn-conformance")


def _outcome(report: pytest.TestReport) -> str:
    if report.when != "call":
        return "failed" if report.failed else ""
    if hasattr(report, "wasxfail"):
        return "failed as expected" if report.skipped else "failed"
    words = {"passed": "passed", "failed": "failed", "skipped": "unsupported"}
    return words.get(report.outcome, "")  # "rerun" is no end
