"""The session's side of the plugin: one ledger on the controller, fed by reports; then gate, summary and files.

A worker of xdist only counts, so that the controller can tell whether anything got lost on the way.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_unlearn import gate, settings
from pytest_unlearn.collecting import Collecting
from pytest_unlearn.partial import narrowed
from pytest_unlearn.report import about, publish, terminal
from pytest_unlearn.report.ledger import OUTCOMES
from pytest_unlearn.report.writing import write

CARRIED = "_unlearn_evidence"  # private attribute of a TestReport: a list of evidence as JSON
RERUN = "_unlearn_rerun"  # the same: this is not the test's first try
LAYERS = pytest.StashKey[dict[str, dict[str, Any]]]()
RECORDED = pytest.StashKey["Recorded"]()


@dataclass
class Recorded:
    """How many evidences left this process on reports, to be compared with how many arrived."""

    total: int = 0


class Worker(Collecting):
    """Tells the controller, at the end, what this worker planned, left out and recorded."""

    def pytest_sessionfinish(self) -> None:
        output: dict[str, Any] = self.config.workeroutput  # type: ignore[attr-defined]
        output["unlearn"] = {
            "planned": sorted(self.ledger.planned),
            "suspected": sorted(self.ledger.suspected),
            "deselected": self.ledger.deselected,
            "partial": self.ledger.partial,
            "recorded": self.config.stash[RECORDED].total,
        }


class Controller(Collecting):
    """Keeps the ledger, and closes it when the last test has run."""

    decision: gate.Decision | None = None
    written: tuple[Path, ...] = ()
    problem = remark = ""
    started = closed = False

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection(self) -> Generator[None, object, object]:
        self.started = not self.config.option.collectonly  # --fixtures and --cache-show never come here
        return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.ledger.add(report.nodeid, _outcome(report), getattr(report, CARRIED, ()), report.duration)
        if hasattr(report, RERUN):
            self.ledger.add(report.nodeid, "rerun")

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object | None) -> None:
        if error is not None:
            self.ledger.crashed_workers += 1
        elif "unlearn" in getattr(node, "workeroutput", {}):
            self.ledger.merge_worker(node.workeroutput["unlearn"])
        else:
            self.ledger.narrow("a worker ended without saying what it ran")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Close the ledger while a failure still shows among the others; after this pytest has made up its mind."""
        if self.started and self._value("report"):
            publish.set_aside(self._directory)
        try:
            result = yield
        except BaseException:  # -x, Ctrl-C, a collection error: the run fails already, and its report says partial
            self.ledger.narrow("the run was stopped before its end")
            self._close(session)
            raise
        self._close(session)
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Close after a run that never reached its tests; and whoever set the exit status, a block is not a success."""
        if self.started and not self.closed:
            self.ledger.narrow("the run was stopped before its first test")
            self._close(session)
        result = yield
        blocked = self.decision is not None and not self.decision.release
        if session.exitstatus == pytest.ExitCode.OK and (blocked or self.problem):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        return result

    def _close(self, session: pytest.Session) -> None:
        if self.closed or not self.started:
            return
        self.closed = True
        self.ledger.recorded += self.config.stash[RECORDED].total
        for reason in narrowed(self.config):
            self.ledger.narrow(reason)
        ledger = self.ledger.freeze()
        if self._value("gate"):
            self.decision = gate.decide(ledger, self.config.getini("unlearn_require"))
            self._announce(session, "release-gate", "" if self.decision.release else self.decision.explain())
        if self._value("report"):
            result = write(ledger, self._about(), self._directory, self.config.rootpath)
            self.written, self.problem, self.remark = result.paths, result.problem, result.remark
            if self.problem:
                self._announce(session, "report", self.problem)

    @property
    def _directory(self) -> Path:
        """Where the report goes."""
        return Path(self.config.rootpath / self._value("report_dir"))

    def _about(self) -> dict[str, Any]:
        facts = about.facts([str(arg) for arg in self.config.invocation_params.args], self.config.rootpath)
        if self.decision is not None:
            required = list(self.config.getini("unlearn_require"))
            facts["gate"] = {
                "release": self.decision.release,
                "reasons": list(self.decision.reasons),
                "required": required,
            }
        return facts

    def _announce(self, session: pytest.Session, name: str, failure: str) -> None:
        # A report of its own shows in FAILURES, the summary, JUnit and the exit status. Setting the exit status alone
        # would leave a failed gate under a green "6 passed".
        report = pytest.TestReport(
            nodeid=f"unlearn::{name}",
            location=("unlearn", None, name.replace("-", " ")),
            keywords={},
            outcome="failed" if failure else "passed",
            longrepr=failure or None,
            when="call",
        )
        session.config.hook.pytest_runtest_logreport(report=report)

    def _value(self, name: str) -> Any:
        return settings.resolve(name, None, self.config.stash[LAYERS]).value

    def pytest_terminal_summary(self, terminalreporter: Any, config: pytest.Config) -> None:
        """One section, absent when no audit ran and nothing was asked for."""
        ledger = self.ledger.freeze()
        audited = ledger["counts"]["planned"] or self._value("gate") or self._value("report")
        if config.option.collectonly and self._value("gate"):
            terminalreporter.write_line("release gate: undecided, because --collect-only runs no test")
        if not self.started or config.get_verbosity() < -1 or not audited:
            return
        terminalreporter.ensure_newline()
        terminalreporter.section("unlearning audit")
        for line, colour in [*terminal.lines(ledger, terminalreporter._tw.fullwidth), *self._conclusion()]:
            terminalreporter.write_line(line, **({colour: True} if colour else {}))

    def _conclusion(self) -> Iterator[tuple[str, str]]:
        if self.decision is not None:
            release, reasons = self.decision.release, len(self.decision.reasons)
            word = "release" if release else f"blocked, {reasons} reason{'' if reasons == 1 else 's'} above"
            yield f"release gate: {word}", "green" if release else "red"
        for path in self.written:
            yield f"report: {path.as_uri()}", ""
        if self.problem:
            yield self.problem, "red"
        if self.remark:
            yield self.remark, "yellow"


def _outcome(report: pytest.TestReport) -> str | None:
    """What this report says of the whole test; None for a setup or teardown that went well."""
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.skipped else "xpassed"
    if report.failed:
        return "error" if report.when in ("setup", "teardown") else "failed"
    if report.passed and report.when != "call":
        return None
    return report.outcome if report.outcome in OUTCOMES else "rerun"  # "rerun", "retried": words of other plugins
