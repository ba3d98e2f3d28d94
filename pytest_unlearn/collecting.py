"""What was collected and what of it will run: on the controller without xdist, on each worker with it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from pytest_unlearn.partial import hidden, shown, speaks_of_audits
from pytest_unlearn.report.ledger import Ledger
from pytest_unlearn.suspects import Suspects

ASKED = ("unlearn_gate", "unlearn_report")
LEDGER = pytest.StashKey[Ledger]()


class Collecting:
    """Notes the audits that are planned, and whatever kept others from being collected or run."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.ledger = config.stash.setdefault(LEDGER, Ledger())
        self._files: set[Path] = set()
        self._items: list[pytest.Item] = []
        self._deselected: list[pytest.Item] = []

    def pytest_collectstart(self, collector: pytest.Collector) -> None:
        if isinstance(collector, pytest.Module) and type(collector).__name__ != "DoctestModule":
            self._files.add(collector.path)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.ledger.narrow(f"{report.nodeid or 'something'} could not be collected")

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        self._items.append(item)

    def pytest_deselected(self, items: Iterable[pytest.Item]) -> None:
        self._deselected += items
        self.ledger.deselected = len(self._deselected)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Compare what was collected with what is about to run; a conftest.py may drop tests without saying so."""
        for path in sorted(self._files - {item.path for item in self._items}):
            if speaks_of_audits(path):  # skipped as a module, or nothing in it looks like a test to pytest
                self.ledger.narrow(f"no test was collected from {shown(self.config, path)}, which speaks of audits")
        if any(self.config.getoption(name, None) or self.config.getini(name) for name in ASKED):
            for reason in hidden(self.config, self._files, self._items):
                self.ledger.narrow(reason)
        accounted = {id(item) for item in (*session.items, *self._deselected)}
        if gone := sum(id(item) not in accounted for item in self._items):
            tests = "1 test was" if gone == 1 else f"{gone} tests were"
            self.ledger.narrow(f"{tests} collected and then removed by a conftest.py or a plugin")
        suspects = Suspects()
        self.ledger.plan(
            marked=[item.nodeid for item in session.items if item.get_closest_marker("unlearn")],
            suspected=[item.nodeid for item in session.items if item in suspects],
        )
        self._items.clear()
