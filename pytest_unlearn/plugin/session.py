"""Keep the session's ledger, then decide the gate, summarise and write files.

The ledger of the controller is fed by reports. A worker of xdist only counts, so that the controller can tell whether
anything got lost on the way; what was collected is noted by each worker, or by the controller where there are none.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

from pytest_unlearn.core import settings
from pytest_unlearn.core.identity import declared, identity
from pytest_unlearn.core.text import LONGEST_NAME, shown
from pytest_unlearn.plugin import allure_results
from pytest_unlearn.plugin.completeness import (
    cli_restrictions,
    display_path,
    holds_doctests_alone,
    mentions_audits,
    uncollected_audits,
)
from pytest_unlearn.plugin.discovery import AuditTestDetector
from pytest_unlearn.plugin.handover import start_run, take
from pytest_unlearn.plugin.opening import Opening
from pytest_unlearn.report.ledger import OUTCOMES, Ledger

if TYPE_CHECKING:
    from pytest_unlearn.core.release_files import ReleaseFiles
    from pytest_unlearn.report.gate import GateDecision
    from pytest_unlearn.report.outlets.github import Place

CARRIED = "_unlearn_evidence"  # private attribute of a TestReport: a list of evidence as JSON
RERUN = "_unlearn_rerun"  # the same: this is not the test's first try
LAYERS = pytest.StashKey[Mapping[str, Mapping[str, Any]]]()
LEDGER = pytest.StashKey[Ledger]()
SET_ASIDE = pytest.StashKey[bool]()
ASKED = ("unlearn_gate", "unlearn_report")
SHOWING = ("help", "version", "markers", "showfixtures", "show_fixtures_per_test", "cacheshow", "collectonly",
           "setuponly", "setupplan", "unlearn_policies")  # fmt: skip
CALLS_NO_TEST = "--setup-only and --setup-plan call no test"
COMPLETE = (
    "Name folders in place of files, leave out what selects tests, repair what cannot be collected, and run again"
)
NOTEBOOK = (
    "its cells run in a kernel of their own, where there are no fixtures, and nothing that they prove reaches the "
    "gate. Make a test function of what has to be proven, in a test_*.py"
)


class Collecting:
    """Note the audits that are planned, and what kept others from running."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.ledger = config.stash.setdefault(LEDGER, Ledger())
        self._files: set[Path] = set()
        self._items: list[pytest.Item] = []
        self._deselected: list[pytest.Item] = []

    def pytest_collectstart(self, collector: pytest.Collector) -> None:
        """Note the file."""
        if isinstance(collector, pytest.Module) and not holds_doctests_alone(collector):
            self._files.add(collector.path)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note what could not be collected."""
        if report.failed:
            self.ledger.narrow(f"{report.nodeid or 'something'} could not be collected")

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Note the test."""
        self._items.append(item)

    def pytest_deselected(self, items: Iterable[pytest.Item]) -> None:
        """Note the tests that will not run."""
        self._deselected += items
        self.ledger.deselected = len(self._deselected)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Compare what was collected with what will run; a conftest.py may drop tests."""
        for path in sorted(self._files - {item.path for item in self._items}):
            if mentions_audits(path):  # skipped as a module, or nothing in it looks like a test to pytest
                self.ledger.narrow(
                    f"no test was collected from {display_path(self.config, path)}, which speaks of audits"
                )
        if any(self.config.getoption(name, None) or self.config.getini(name) for name in ASKED):
            for reason in uncollected_audits(self.config, self._files, self._items):
                self.ledger.narrow(reason)
        accounted = {id(item) for item in (*session.items, *self._deselected)}
        if gone := sum(id(item) not in accounted for item in self._items):
            tests = "1 test was" if gone == 1 else f"{gone} tests were"
            self.ledger.narrow(f"{tests} collected and then removed by a conftest.py or a plugin")
        self._say_what_is_partial()
        detector = AuditTestDetector()
        self.ledger.plan(
            marked=[item.nodeid for item in session.items if item.get_closest_marker("unlearn")],
            suspected=[item.nodeid for item in session.items if item in detector],
        )
        self._items.clear()

    def _say_what_is_partial(self) -> None:
        """Say before anything is trained that the gate will block, as it takes no partial run."""
        terminal = self.config.pluginmanager.getplugin("terminalreporter")
        asked = settings.resolve("gate", None, self.config.stash[LAYERS]).value
        if terminal is None or not asked or self.config.option.collectonly:
            return
        for reason in (*cli_restrictions(self.config), *self.ledger.freeze()["partial"]):
            terminal.write_line(
                f"release gate: it will block, as this is a partial run: {reason}. {COMPLETE}", yellow=True
            )


class Worker(Collecting):
    """Tell the controller, at the end, what this worker planned and recorded."""

    def pytest_sessionfinish(self) -> None:
        """Send what the controller must have."""
        output: dict[str, Any] = self.config.workeroutput  # type: ignore[attr-defined]
        output["unlearn"] = {
            "planned": sorted(self.ledger.planned),
            "suspected": sorted(self.ledger.suspected),
            "deselected": self.ledger.deselected,
            "partial": self.ledger.partial,
            "recorded": self.ledger.recorded,
        }


class Controller(Collecting):
    """Keep the ledger, and close it when the last test has run."""

    decision: GateDecision | None = None
    written: tuple[Path, ...] = ()
    file_rows: Sequence[Mapping[str, str]] = ()
    file_problems: tuple[str, ...] = ()
    frozen: Mapping[str, Any] = MappingProxyType({})  # the ledger as it was closed, and the facts of the run
    about: Mapping[str, Any] = MappingProxyType({})
    problems: tuple[str, ...] = ()  # why something that was asked for could not be written: each fails the run
    failed: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    past: Mapping[str, Any] = MappingProxyType({})
    annotations: tuple[str, ...] = ()
    logged: tuple[str, ...] = ()
    started = closed = False
    notebooks: tuple[str, ...] = ()
    policy: str | None = None
    required: tuple[str, ...] = ()
    baseline: Mapping[str, list[str]] = MappingProxyType({})

    def __init__(self, config: pytest.Config) -> None:
        super().__init__(config)
        try:
            self.declared = declared(config.stash[LAYERS])
        except ValueError as error:
            raise pytest.UsageError(f"$UNLEARN_...: {error}") from None
        asked = settings.services(self._value("log") or "")
        if asked:
            from pytest_unlearn.report.tracking import services

            if without := next(services.missing(asked), ""):
                raise pytest.UsageError(without)
        self.places: dict[str, tuple[str, int | None, str]] = {}
        self.handover = take()
        self.opening = Opening()
        config.add_cleanup(start_run())
        set_report_aside(config, config.option, config.stash[LAYERS])

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection(self) -> Generator[None, object, object]:
        """Note that tests are about to run."""
        self.started = not self.config.option.collectonly  # --fixtures and --cache-show never come here
        return (yield)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note what will run, and that a run with audits begins."""
        super().pytest_collection_finish(session)
        self.opening.tests = tuple(item.nodeid for item in session.items)
        if self.ledger.planned or self.ledger.suspected:
            self._begin()

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """Note the same where workers collect: audits are told by their files."""
        if not self.opening.tests:
            self.opening.tests = tuple(ids)
            if any(mentions_audits(self.config.rootpath / file) for file in {one.partition("::")[0] for one in ids}):
                self._begin()

    def _begin(self, report: Any = None) -> None:
        """Leave a line in the history, which tells of this run if it is killed."""
        verdicts = [evidence["verdict"] for evidence in getattr(report, CARRIED, ())]
        shows = any(getattr(self.config.option, name, None) for name in SHOWING)
        if self.started and not shows and self.opening.is_news(verdicts):
            from pytest_unlearn.core.release_files import find_files

            rows = (
                [] if verdicts else find_files(self.config.getini("unlearn_release_files"), self.config.rootpath).rows()
            )
            about = {**self._facts(), "release_files": rows}  # which tests may write anew
            self.opening.note(self.config.stash[LAYERS], self.ledger.freeze(), about, self.config.rootpath)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add the report and its evidence to the ledger."""
        self.ledger.add(report.nodeid, _outcome(report), getattr(report, CARRIED, ()), report.duration)
        if getattr(report, CARRIED, ()):
            self.places[report.nodeid] = report.location
            self._begin(report)
        if hasattr(report, RERUN):
            self.ledger.add(report.nodeid, "rerun")
        file = report.nodeid.partition("::")[0]
        if file.endswith(".ipynb") and file not in self.notebooks and mentions_audits(self.config.rootpath / file):
            self.notebooks += (file,)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object | None) -> None:
        """Merge what a worker of xdist sent, or note that it crashed."""
        if error is not None:
            self.ledger.crashed_workers += 1
        elif "unlearn" in getattr(node, "workeroutput", {}):
            self.ledger.merge_worker(node.workeroutput["unlearn"])
        else:
            self.ledger.narrow("a worker ended without saying what it ran")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Close the ledger while a failure of the gate still shows among the others."""
        try:
            result = yield
        except BaseException:  # -x, Ctrl-C, a collection error: the run fails already, and its report is partial
            self.ledger.narrow("the run was stopped before its end")
            self._close(session)
            raise
        self._close(session)
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Close after a run without tests; whatever set the exit status, a block fails."""
        if self.started and not self.closed:
            self.ledger.narrow("the run was stopped before its first test")
            self._close(session)
        result = yield
        blocked = self.decision is not None and not self.decision.release
        if session.exitstatus == pytest.ExitCode.OK and (blocked or self.problems):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if self.closed:
            without = CALLS_NO_TEST if self.config.getoption("setuponly", False) else ""
            self.handover.confirm(self._directory / "report.json", int(session.exitstatus), without)
        return result

    def _close(self, session: pytest.Session) -> None:
        if self.closed or not self.started:
            return
        self.closed = True
        for reason in cli_restrictions(self.config):
            self.ledger.narrow(reason)
        self.frozen = ledger = self.ledger.freeze()
        if self._concerns_nobody(ledger):
            return
        from pytest_unlearn.plugin import remembering, requirements

        files = _release_files(self.config, ledger)
        self.file_rows, self.file_problems = files.rows(), files.problems
        ledger["release_file_problems"] = list(files.problems)
        demands = requirements.read(self.config, self.config.stash[LAYERS])
        self.policy, self.required = demands.policy, demands.claims(ledger)
        ledger["baseline"] = self.baseline = requirements.compared(self.config, demands, ledger)
        rows, root = self.file_rows, self.config.rootpath
        with remembering.recalled(self.config.stash[LAYERS], ledger, rows, root, self.opening) as memory:
            ledger["history"] = self.past = memory.past
            if self._value("gate"):
                self.decision = demands.decide(ledger)
            about = self.about = self._about(appended=memory.file is not None)
            memory.append(ledger, about)
        if self.decision is not None:
            self._announce(session, "release-gate", "" if self.decision.release else self.decision.explain())
        if memory.problem:
            self._fail(session, "history", memory.problem)
        if memory.remark and (self._reports or self.decision is not None):
            self.remarks += (memory.remark,)
        if os.environ.get("GITHUB_ACTIONS") == "true":
            from pytest_unlearn.report.outlets import github

            places = code_places(self.places, self.config.rootpath)
            self.annotations = tuple(github.commands(ledger, about, places))
        if self._reports:
            from pytest_unlearn.report import write

            result = write.write(ledger, about, self._directory, self.config.rootpath)
            self.written, self.remarks = result.paths, (*self.remarks, *result.remarks)
            if result.problem:
                self._fail(session, "report", result.problem)
        asked = settings.services(self._value("log") or "")
        if asked and not self.config.getoption("setuponly", False):
            self._log(session, asked)
        memory.add_failures(ledger, about, self.failed)

    def _log(self, session: pytest.Session, names: Iterable[str]) -> None:
        from pytest_unlearn.report import write
        from pytest_unlearn.report.tracking import services
        from pytest_unlearn.report.tracking.record import record

        try:
            files = write.texts(self.written) if self.written else write.render(self.frozen, self.about)
            logged = record(self.frozen, self.about, files)
        except Exception as error:  # as for the report: it must not cost the run its other failures
            self._fail(session, "log", f"there is nothing to log: {error}")
            return
        for name in names:
            where, problem = services.log(name, logged, self._value("log_model") or "")
            self.logged += (where,) if where else ()
            if problem:
                self._fail(session, "log", problem)

    def _fail(self, session: pytest.Session, name: str, problem: str) -> None:
        self.problems += (problem,)
        self.failed += (name,)
        self._announce(session, name, problem)

    @property
    def _reports(self) -> bool:
        """Whether this run's report replaces the last one: not if its tests are only planned, or set up."""
        return self.started and self._value("report") and not self.config.getoption("setuponly", False)

    @property
    def _directory(self) -> Path:
        return report_directory(self.config, self.config.stash[LAYERS])

    def _facts(self) -> dict[str, Any]:
        from pytest_unlearn.report import environment

        facts = environment.facts([str(arg) for arg in self.config.invocation_params.args], self.config.rootpath)
        return facts | {"identity": identity(self.config.stash[LAYERS]), "declared": self.declared}

    def _about(self, *, appended: bool) -> dict[str, Any]:
        told = appended or self._audited(self.frozen) or self.frozen.get("entries") or self._value("log")
        facts: dict[str, Any] = (
            self._facts() if told else {"gate": None}
        )  # where nobody will read of them, they take too long
        facts |= {"release_files": self.file_rows, "release_file_problems": list(self.file_problems)}
        if self.handover.nonce:
            facts["run"] = {"nonce": self.handover.nonce}
        if self.decision is not None:
            release, reasons = self.decision.release, list(self.decision.reasons)
            required, notes = list(self.required), list(self.decision.notes)
            facts["gate"] = {"release": release, "reasons": reasons, "required": required, "notes": notes}
            if self.policy:
                facts["gate"]["policy"] = self.policy
        if self.baseline:
            facts["baseline"] = self.baseline
        if self.past:
            facts["history"] = self.past
        return facts

    def _concerns_nobody(self, ledger: Mapping[str, Any]) -> bool:
        """Whether nothing was audited, and nothing that tells of audits was asked for."""
        told = ledger["entries"] or self.opening.begun or self._value("log")
        return not told and not self._audited(ledger)

    def _audited(self, ledger: Mapping[str, Any]) -> bool:
        """Whether any audit was to run, or anything was asked for."""
        return bool(ledger["counts"]["planned"] or self._value("gate") or self._value("report"))

    def _announce(self, session: pytest.Session, name: str, failure: str) -> None:
        # A report of its own shows in FAILURES, the summary, JUnit and the exit status. Setting the exit status alone
        # would leave a failed gate under a green "6 passed".
        if session.testscollected:
            session.testscollected += 1  # or progress would exceed 100%
        location, outcome = ("unlearn", None, name.replace("-", " ")), "failed" if failure else "passed"
        report = pytest.TestReport(f"unlearn::{name}", location, {}, outcome, failure or None, "call")  # type: ignore[arg-type]
        session.config.hook.pytest_runtest_logreport(report=report)
        allure_results.add_result(session.config, report.nodeid, failure)

    def _value(self, name: str) -> Any:
        return settings.resolve(name, None, self.config.stash[LAYERS]).value

    def pytest_terminal_summary(self, terminalreporter: Any, config: pytest.Config) -> None:
        """Print one section, if any audit ran or anything was asked for."""
        for line in self.annotations:
            terminalreporter.ensure_newline()
            terminalreporter.write_line(line)
        ledger = self.frozen or self.ledger.freeze()
        if config.option.collectonly and self._value("gate"):
            terminalreporter.write_line("release gate: undecided, because --collect-only runs no test")
        if not self.started or config.get_verbosity() < -1 or not self._audited(ledger):
            return
        from pytest_unlearn.report import terminal

        terminalreporter.ensure_newline()
        terminalreporter.section("unlearning audit")
        told = terminal.lines(ledger, terminalreporter._tw.fullwidth, self.about)
        for line, colour in [*told, *self._conclusion()]:
            terminalreporter.write_line(line, **({colour: True} if colour else {}))

    def _conclusion(self) -> Iterator[tuple[str, str]]:
        if self.decision is not None:
            release, reasons = self.decision.release, len(self.decision.reasons)
            word = "release" if release else f"blocked, {reasons} reason{'' if reasons == 1 else 's'} above"
            yield f"release gate: {word}", "green" if release else "red"
            yield from ((note, "yellow") for note in self.decision.notes)
        else:
            from pytest_unlearn.report import gate

            unsealed = gate.unsealed(self.ledger.entries)
            yield from ((unsealed, ""),) if unsealed else ()
            held = [sentence for part in ("reasons", "warnings") for sentence in self.past.get(part, ())]
            yield from ((sentence, "yellow") for sentence in held)
        for file in self.notebooks:
            yield f"{file} speaks of audits: {NOTEBOOK}", "yellow"
        if self.written:
            yield f"report: {self.written[0].as_uri()}", ""
            yield f"beside it: {', '.join(path.name for path in self.written[1:])}", ""
        yield from ((f"logged: {where}", "") for where in self.logged)
        if self._value("report") and not self._reports:
            yield f"report: none, because {CALLS_NO_TEST}; an earlier one stays", "yellow"
        if self.decision is None:
            yield from ((problem, "red") for problem in self.file_problems)
        yield from ((problem, "red") for problem in self.problems)
        yield from ((remark, "yellow") for remark in self.remarks)


def _release_files(config: pytest.Config, ledger: Mapping[str, Any]) -> ReleaseFiles:
    """Hash what is released, as ini names it now and assertions named it when they ran."""
    asserted = (entry["evidence"].get("provenance", {}).get("files") for entry in ledger["entries"])
    from pytest_unlearn.core.release_files import ReleaseFiles, find_files, merge

    found = find_files(config.getini("unlearn_release_files"), config.rootpath)
    return merge(found, *(ReleaseFiles({row["name"]: row["sha256"] for row in rows}) for rows in asserted if rows))


def code_places(places: Mapping[str, tuple[str, int | None, str]], root: Path) -> dict[str, Place]:
    """Say where tests are defined, relative to the repository, lines from 1.

    They are named as reports show them.
    """
    repository = Path(os.environ.get("GITHUB_WORKSPACE") or root)
    found = {}
    for nodeid, (file, line, _) in places.items():
        path = os.path.relpath(root / file, repository)
        inside = not path.startswith("..")
        found[shown(nodeid, LONGEST_NAME)] = (Path(path if inside else file).as_posix(), (line or 0) + 1)
    return found


def layers(config: pytest.Config) -> Mapping[str, Mapping[str, Any]]:
    """Return the session's layers of settings, or say why there are none."""
    if LAYERS not in config.stash:
        pytest.fail(
            "Half of pytest-unlearn is switched off: its fixtures are loaded, its hooks are not, so that there are no "
            "settings, no evidence and no gate. Take the `-p no:` of a part away; `-p no:unlearn` switches all off.",
            pytrace=False,
        )
    return config.stash[LAYERS]


def report_directory(config: pytest.Config, layers: Mapping[str, Mapping[str, Any]]) -> Path:
    """Find where the report of this run belongs."""
    return config.rootpath / str(settings.resolve("report_dir", None, layers).value)


def set_report_aside(config: pytest.Config, option: Any, layers: Mapping[str, Mapping[str, Any]]) -> None:
    """Set an earlier report aside, once, if this run is to write one."""
    shows = any(getattr(option, name, None) for name in SHOWING)
    if not shows and SET_ASIDE not in config.stash and settings.resolve("report", None, layers).value:
        from pytest_unlearn.report import write

        config.stash[SET_ASIDE] = True
        write.set_aside(report_directory(config, layers))


def _outcome(report: pytest.TestReport) -> str | None:
    """Tell how the whole test ended; None for a setup or teardown that went well."""
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.skipped else "xpassed"
    if report.failed:
        return "error" if report.when in ("setup", "teardown") else "failed"
    if report.passed and report.when != "call":
        return None
    return report.outcome if report.outcome in OUTCOMES else "rerun"  # "rerun", "retried": words of other plugins
