"""Hook into pytest around each test: options, markers, recorder, and reports.

Loaded in every pytest run of every project that has the package installed, so that nothing heavy is imported here.
What concerns the session as a whole (ledger, gate, report) is in session.py.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Mapping
from importlib import import_module
from typing import Any

import pytest

from pytest_unlearn.core import settings
from pytest_unlearn.core.recorder import Recorder, recording
from pytest_unlearn.core.text import shown, without_password
from pytest_unlearn.plugin import allure_results, crash_line, overrides
from pytest_unlearn.plugin.overrides import SOURCES
from pytest_unlearn.plugin.session import CARRIED, LAYERS, LEDGER, RERUN, Controller, Worker, set_report_aside

PARTS = (overrides.BUILTIN, "pytest_unlearn.plugin.conformance_summary", "pytest_unlearn.plugin.cluster")

REQUIRED = "forgotten; of documents text_forgotten, text_utility"  # as the claim table has it
SESSION = "unlearn-session"
RECORDER = pytest.StashKey[Recorder]()
TRIES = pytest.StashKey[int]()
MARKER_ERROR = pytest.StashKey[str]()


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Bring the other parts of the plugin."""
    # For each name in `pytest_plugins`, pytest would read the metadata of every package that is installed.
    for name in PARTS:
        if not pluginmanager.has_plugin(name):
            pluginmanager.register(import_module(name), name)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Generate options and their ini twins from the table of settings."""
    group = parser.getgroup("unlearn", "machine-unlearning audit")
    for spec in settings.TABLE.values():
        if spec.flag and spec.kind is bool and not spec.default:
            group.addoption(spec.option, action="store_true", default=None, help=spec.help)
        elif spec.flag:
            text = f"{spec.help} (default: {spec.default})"
            group.addoption(spec.option, type=settings.argument(spec), default=None, metavar="VALUE", help=text)
        if spec.ini:
            kind = "string" if spec.kind is str else spec.kind.__name__
            parser.addini(spec.ini_name, f"{spec.help} (default: {spec.default})", type=kind, default=None)  # type: ignore[arg-type]
    group.addoption("--unlearn-policies", action="store_true", help="list the policies of assert_release, and exit")
    parser.addini(
        "unlearn_require",
        f"claims that must be proven before --unlearn-gate releases (default: {REQUIRED})",
        type="linelist",
        default=None,
    )
    parser.addini(
        "unlearn_release_files",
        "files that are released if the gate lets them: globs relative to the root directory, hashed when the run ends",
        type="linelist",
        default=[],
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, read every layer of settings once, and start the ledger."""
    keywords = ", ".join(f"{spec.name}=..." for spec in settings.TABLE.values() if spec.marker)
    config.addinivalue_line("markers", f"unlearn({keywords}): settings of the audits in this test")
    config.stash[LAYERS] = read_layers(config, config.option)
    sources = config.stash[SOURCES] = overrides.Sources()
    role = Worker(config) if hasattr(config, "workerinput") else Controller(config)
    for part, name, fault in ((role, SESSION, "never blocks"), (sources, "unlearn-sources", "may judge other data")):
        if config.pluginmanager.register(part, name) is None:
            raise pytest.UsageError(f"-p no:{name} would leave a gate that {fault}; -p no:unlearn switches all off")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Set an earlier report aside before anything of the user runs and may be killed."""
    if "PYTEST_XDIST_WORKER" not in os.environ:  # a worker has its controller's report to respect
        option = early_config.known_args_namespace
        set_report_aside(early_config, option, read_layers(early_config, option))


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Print the policies instead of running tests, with --unlearn-policies."""
    if not config.getoption("--unlearn-policies", False):
        return None
    from pytest_unlearn.claims import policies

    for line in policies.lines():
        print(line)
    return 0


def read_layers(config: pytest.Config, option: Any) -> dict[str, dict[str, Any]]:
    """Read the layers of settings that hold for the whole run."""
    given = {spec.name: getattr(option, spec.ini_name, None) for spec in settings.TABLE.values() if spec.flag}
    return {"command line": {name: value for name, value in given.items() if value is not None}, "ini": _ini(config)}


def _ini(config: pytest.Config) -> dict[str, Any]:
    found = {}
    for spec in settings.TABLE.values():
        try:
            value = config.getini(spec.ini_name) if spec.ini else None
            if value is not None:
                found[spec.name] = spec.parse(value)
        except (TypeError, ValueError, pytest.UsageError) as error:  # pytest's own names no option
            raise pytest.UsageError(f"ini option {spec.ini_name}: {error}") from error
    return found


def pytest_report_header(config: pytest.Config) -> str | None:
    """List, with -v, the settings that are not at their defaults, and their sources."""
    if config.get_verbosity() < 1:
        return None
    chosen = ((name, settings.resolve(name, None, config.stash[LAYERS])) for name in settings.TABLE)
    texts = [
        f"{name}={without_password(str(one.value))} ({one.source})" for name, one in chosen if one.source != "default"
    ]
    return "unlearn: " + (", ".join(texts) or "every setting at its default")


def marked_settings(item: pytest.Item) -> dict[str, Any]:
    """Merge the settings of a test's markers; a ValueError tells of a typo."""
    found: dict[str, Any] = {}
    for mark in reversed(list(item.iter_markers("unlearn"))):  # the closest mark comes last and wins
        found |= settings.marker_settings(mark.args, mark.kwargs)
    return found


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Activate the test's recorder for setup, call and teardown."""
    marker: dict[str, Any] = {}
    try:
        marker = marked_settings(item)
    except ValueError as error:
        item.stash[MARKER_ERROR] = str(error)  # raised in setup: an exception here would end the session
    collapse = getattr(getattr(item, "obj", None), "is_hypothesis_test", False) is True
    layers = item.config.stash[LAYERS]
    recorder = Recorder(item.nodeid, {"marker": marker, **layers}, collapse)
    item.stash[RECORDER] = recorder
    with recording(recorder):
        return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuse a marker with a typo."""
    if MARKER_ERROR in item.stash:
        pytest.fail(item.stash[MARKER_ERROR], pytrace=False)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the evidence of this phase on its report, which xdist carries."""
    report = yield
    if call.when == "setup":
        item.stash[TRIES] = item.stash.get(TRIES, 0) + 1
    if item.stash.get(TRIES, 1) > 1:  # a plugin that repeats a test until it passes need not mark it
        setattr(report, RERUN, True)
    entries = item.stash[RECORDER].drain() if RECORDER in item.stash else []
    if entries:
        setattr(report, CARRIED, entries)
        item.config.stash[LEDGER].recorded += len(entries)
    if report.failed and call.excinfo is not None and not item.config.getoption("runxfail", False):
        _excuse_inconclusive(report, getattr(call.excinfo.value, "evidence", None), entries)
    if report.failed and call.excinfo is not None:
        crash_line.shorten(report.longrepr, call.excinfo.value)
    if entries:
        _attach(item, report, entries)
    if report.failed and call.excinfo is not None and (hint := overrides.scope_hint(item, str(call.excinfo.value))):
        report.sections.append(("unlearning audit", hint))
    return report


def _excuse_inconclusive(report: pytest.TestReport, evidence: Any, entries: list[dict[str, Any]]) -> None:
    if evidence is None or report.when == "teardown" or str(evidence.verdict) != "INCONCLUSIVE":
        return
    # Hypothesis may shrink a FAIL into an INCONCLUSIVE (one exception type is one bug): the worst example decides.
    if any(entry["verdict"] in ("FAIL", "INVALID") for entry in entries):
        return
    if settings.resolve("inconclusive").value == "xfail":
        report.outcome = "skipped"
        report.wasxfail = f"reason: inconclusive, {evidence.claim}"


def _attach(item: pytest.Item, report: pytest.TestReport, entries: list[dict[str, Any]]) -> None:
    """Attach evidence to a test's report, in the forms that this run shows."""
    from pytest_unlearn.report import terminal

    rows = ({"nodeid": item.nodeid, "count": entry["count"], "evidence": entry} for entry in entries)
    text = terminal.section(map(shown, rows))
    if report.failed:
        report.sections.append(("unlearning audit", text))
    allure_results.attach(item.config, text)
    if settings.resolve("junit_properties").value:
        found = properties(entries)
        # JUnit reads them off the last report, that of the teardown; pytest copies an item's onto the reports to come.
        item.user_properties.extend(found)
        report.user_properties.extend(found)
    if item.config.pluginmanager.hasplugin("html") and item.config.getoption("htmlpath", None):
        import html

        from pytest_html import extras

        extra = extras.html(f"<pre>{html.escape(text)}</pre>")
        setattr(report, "extras", [*getattr(report, "extras", []), extra])  # noqa: B010 - not an attribute pytest knows


def properties(entries: Iterable[Mapping[str, Any]]) -> list[tuple[str, str | float]]:
    """List verdict, estimate and limit of each evidence, as JUnit properties."""
    from pytest_unlearn.report.wording import word

    found: list[tuple[str, str | float]] = []
    for entry in entries:
        claim, estimate = entry["claim"], entry["estimate"]
        values = {
            "verdict": word(entry),
            "not_testable": entry.get("not_testable") or None,
            "leakage_reduction": (entry.get("leakage_reduction") or {}).get("low"),
            **{name: estimate[name] for name in ("value", "low", "high")},
            "limit": claim["lowest"] if claim["highest"] is None else claim["highest"],
        }
        found += [(f"unlearn.{claim['name']}.{name}", value) for name, value in values.items() if value is not None]
    return found
