"""The session's side of the plugin: one ledger on the controller, fed by reports; then gate, summary and files.

A worker of xdist only counts, so that the controller can tell whether anything got lost on the way.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_unlearn import gate, settings
from pytest_unlearn.report import about, publish, terminal
from pytest_unlearn.report.ledger import Ledger

CARRIED = "_unlearn_evidence"  # private attribute of a TestReport: a list of evidence as JSON
LAYERS = pytest.StashKey[dict[str, dict[str, Any]]]()
LEDGER = pytest.StashKey[Ledger]()
RECORDED = pytest.StashKey["Recorded"]()


@dataclass
class Recorded:
    """How many evidences left this process on reports, to be compared with how many arrived."""

    total: int = 0


class _Counting:
    """What controller and workers have in common: what was planned and what was deselected."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.ledger = config.stash.setdefault(LEDGER, Ledger())

    def pytest_deselected(self, items: Iterable[pytest.Item]) -> None:
        self.ledger.deselected += sum(1 for _ in items)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.ledger.plan(item.nodeid for item in session.items if item.get_closest_marker("unlearn"))


class Worker(_Counting):
    """Tells the controller, at the end, what this worker planned, deselected and recorded."""

    def pytest_sessionfinish(self) -> None:
        output: dict[str, Any] = self.config.workeroutput  # type: ignore[attr-defined]
        planned, deselected = sorted(self.ledger.planned), self.ledger.deselected
        output["unlearn"] = {
            "planned": planned,
            "deselected": deselected,
            "recorded": self.config.stash[RECORDED].total,
        }


class Controller(_Counting):
    """Keeps the ledger, and closes it when the last test has run."""

    decision: gate.Decision | None = None
    written: tuple[Path, ...] = ()
    problem = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.ledger.add(report.nodeid, _outcome(report), getattr(report, CARRIED, ()))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object | None) -> None:
        if error is not None:
            self.ledger.crashed_workers += 1
        elif "unlearn" in getattr(node, "workeroutput", {}):
            self.ledger.merge_worker(node.workeroutput["unlearn"])

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Close the ledger while a failure can still change the exit status; `sessionfinish` is too late for that."""
        if self.config.option.collectonly:
            return (yield)
        try:
            result = yield
        except BaseException:  # -x, Ctrl-C, a collection error: the run fails already, and its report says partial
            self.ledger.partial.append("the run was stopped before its end")
            self._close(session)
            raise
        self._close(session)
        return result

    def _close(self, session: pytest.Session) -> None:
        self.ledger.recorded += self.config.stash[RECORDED].total
        self.ledger.partial += _narrowed(self.config)
        ledger = self.ledger.freeze()
        if self._value("gate"):
            self.decision = gate.decide(ledger, self.config.getini("unlearn_require"))
            failure = None if self.decision.release else self.decision.explain()
            self._announce(session, "release-gate", failure)
        if self._value("report"):
            self._write(session, ledger)

    def _write(self, session: pytest.Session, ledger: dict[str, Any]) -> None:
        root = self.config.rootpath
        directory = root / self._value("report_dir")
        facts = about.facts([str(arg) for arg in self.config.invocation_params.args], root)
        decided = self.decision
        facts["gate"] = None if decided is None else {"release": decided.release, "reasons": list(decided.reasons)}
        try:
            self.written = tuple(publish.publish(ledger, facts, directory, root))
        except (OSError, ValueError) as error:
            self.problem = f"the report could not be written to {directory}: {error}"
            self._announce(session, "report", self.problem)

    def _announce(self, session: pytest.Session, name: str, failure: str | None) -> None:
        # A report of its own shows in FAILURES, the summary, JUnit and the exit status. Setting the exit status alone
        # would leave a failed gate under a green "6 passed".
        report = pytest.TestReport(
            nodeid=f"unlearn::{name}",
            location=("unlearn", None, name.replace("-", " ")),
            keywords={},
            outcome="passed" if failure is None else "failed",
            longrepr=failure,
            when="call",
        )
        session.config.hook.pytest_runtest_logreport(report=report)

    def _value(self, name: str) -> Any:
        return settings.resolve(name, None, self.config.stash[LAYERS]).value

    def pytest_terminal_summary(self, terminalreporter: Any, config: pytest.Config) -> None:
        """One section, absent when no audit ran and nothing was asked for."""
        ledger = self.ledger.freeze()
        audited = ledger["entries"] or ledger["without_evidence"] or self._value("gate") or self._value("report")
        if config.option.collectonly or config.get_verbosity() < -1 or not audited:
            return
        terminalreporter.ensure_newline()
        terminalreporter.section("unlearning audit")
        for line, colour in terminal.lines(ledger, terminalreporter._tw.fullwidth):
            terminalreporter.write_line(line, **({colour: True} if colour else {}))
        if self.decision is not None:
            release = self.decision.release
            line = "release gate: " + (
                "release" if release else f"blocked, {len(self.decision.reasons)} reason(s) above"
            )
            terminalreporter.write_line(line, **{"green" if release else "red": True})
        for path in self.written:
            terminalreporter.write_line(f"report: {path}")
        if self.problem:
            terminalreporter.write_line(self.problem, red=True)


def _outcome(report: pytest.TestReport) -> str | None:
    """What this report says of the whole test; None for a setup or teardown that went well."""
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.skipped else "xpassed"
    if report.failed:
        return "error" if report.when in ("setup", "teardown") else "failed"
    return None if report.passed and report.when != "call" else str(report.outcome)


def _narrowed(config: pytest.Config) -> list[str]:
    """Ways to run less than everything that leave no trace among the deselected tests."""
    reasons = []
    if any("::" in str(arg) for arg in config.args):
        reasons.append("node ids were given")
    if config.getoption("lf", False):
        reasons.append("--last-failed was given")  # skips whole files before they are collected
    return reasons
