"""`gate` releases on the report of the run that it started, and on nothing else."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pytest_unlearn.cli.gate import command_line, objection
from tests.cli.conftest import change, claim, write

ROOT = Path(__file__).parents[2]
SUITE = """
import os, time
from evidences import evidence
from pytest_unlearn.core.recorder import record
def test_forgotten(): record(evidence("PASS"))
def test_plain(): pass
"""
OLD = '{"an": "earlier report, of a PASS"}'


def project(folder: Path, test: str = SUITE, conftest: str = "", required: str = "forgotten") -> Path:
    """A suite with hand-made evidence, and an earlier report in place."""
    (folder / "evidences.py").write_text((ROOT / "tests/evidences.py").read_text())
    (folder / "test_it.py").write_text(test)
    (folder / "conftest.py").write_text(f"import os, signal, pytest\n{conftest}\n")
    (folder / "pytest.ini").write_text(f"[pytest]\nunlearn_require = {required}\n")
    (folder / ".unlearn/report").mkdir(parents=True)
    (folder / ".unlearn/report/report.json").write_text(OLD)
    return folder


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "pytest_unlearn", "gate", "-p", "no:cacheprovider", *arguments]
    cleared = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "UNLEARN_"))}
    environment = {**cleared, "PYTHONPATH": f"{ROOT}:{folder}", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen(command, cwd=folder, env=environment, text=True, start_new_session=True, **pipes)


def gate(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run the command; return its status and the last line of what it printed."""
    with start(folder, *arguments) as process:
        out, _ = process.communicate(timeout=120)
    return process.returncode, out.strip().splitlines()[-1]


@pytest.mark.slow
def test_it_releases_on_a_report_of_its_own(tmp_path: Path) -> None:
    status, said = gate(project(tmp_path))
    assert (status, said) == (0, "gate: released: every required claim was proven in this run")
    nonce = json.loads((tmp_path / ".unlearn/report/report.json").read_text())["run"]["nonce"]
    assert len(nonce) == 32
    assert "UNLEARN_GATE" not in "".join(os.environ)


EXIT = "os._exit(0)"
ENDS = {
    "in a recipe": ("", f"@pytest.fixture(scope='session', autouse=True)\ndef recipe(): {EXIT}"),
    "at collection": (EXIT, ""),
    "in conftest.py": ("", EXIT),
    "after the report": ("", f"def pytest_sessionfinish(): {EXIT}"),
    "at the very end": (
        "",
        f"@pytest.hookimpl(wrapper=True, tryfirst=True)\ndef pytest_runtestloop(session):\n    {EXIT}\n    yield",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("where", ENDS)
def test_a_process_that_ends_itself_with_status_0_releases_nothing(tmp_path: Path, where: str) -> None:
    test, conftest = ENDS[where]
    status, said = gate(project(tmp_path, SUITE + test, conftest))
    assert status == 1
    assert said.startswith("gate: blocked, because pytest ended with status 0 before the run came to its end")


@pytest.mark.slow
@pytest.mark.parametrize("where", ["in a test", "at collection"])
def test_a_worker_that_ends_itself_releases_nothing(tmp_path: Path, where: str) -> None:
    only = "if 'PYTEST_XDIST_WORKER' in os.environ: os._exit(0)"
    body = f"def test_worker():\n    {only}" if where == "in a test" else only
    status, said = gate(project(tmp_path, f"{SUITE}\n{body}\n"), "-p", "xdist", "-n2")
    assert status == 1
    assert said.startswith("gate: blocked, because ")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "required", "expected", "words"),
    [
        ((), "no_residual", 1, "no evidence for the required claim 'no_residual'"),
        (("-k", "forgotten"), "forgotten", 1, "a partial run cannot satisfy the gate"),
        (("--collect-only",), "forgotten", 1, "no test was to be run"),
        (("--setup-plan",), "forgotten", 1, "wrote no report: --setup-only and --setup-plan call no test"),
        (("--no-such-option",), "forgotten", 2, "pytest did not accept its arguments"),
        (("-p", "no:unlearn"), "forgotten", 2, "-p no:unlearn switches the gate off"),
        (("--unlearn-report-dir=elsewhere", "test_it.py"), "forgotten", 0, "released"),
    ],
)
def test_arguments_go_to_pytest(
    tmp_path: Path, arguments: tuple[str, ...], required: str, expected: int, words: str
) -> None:
    status, said = gate(project(tmp_path, required=required), *arguments)
    assert (status, words in said) == (expected, True), said


@pytest.mark.slow
def test_a_failing_test_beside_the_audits_blocks(tmp_path: Path) -> None:
    status, said = gate(project(tmp_path, SUITE + "def test_other(): assert False"))
    assert (status, "test_other" in said) == (1, True)


SLOW = "import time; open('configured', 'w').close(); time.sleep(0.4)"
SLOW_HOOKS = f"""
{SLOW}
def pytest_collection(): time.sleep(0.4)
def pytest_runtest_call(): time.sleep(0.2)
def pytest_sessionfinish(): time.sleep(0.4)
"""


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_killed_at_a_random_moment_no_earlier_report_is_taken_for_the_runs(tmp_path: Path, seed: int) -> None:
    process = start(project(tmp_path, conftest=SLOW_HOOKS))
    time.sleep(random.Random(seed).uniform(0, 3))
    before = process.poll()
    with contextlib.suppress(ProcessLookupError):  # it has ended before the signal
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    report = tmp_path / ".unlearn/report/report.json"
    assert process.returncode != 0 or before == 0
    if (tmp_path / "configured").exists() and report.exists():  # before that, nothing of this run is there to tell
        assert report.read_text() != OLD


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["conftest.py", "pytest_configure", "pytest_sessionstart", "pytest_collection"])
def test_a_run_killed_in_start_up_leaves_no_earlier_report_in_place(tmp_path: Path, moment: str) -> None:
    kill = "os.kill(os.getpid(), signal.SIGKILL)"
    project(tmp_path, conftest=kill if moment == "conftest.py" else f"def {moment}(): {kill}")
    status, said = gate(tmp_path)
    assert (status, "by signal 9 before the run came to its end" in said) == (1, True)
    assert not (tmp_path / ".unlearn/report/report.json").exists()
    assert (tmp_path / ".unlearn/report/previous/report.json").read_text() == OLD


@pytest.mark.parametrize(
    ("disabled", "arguments", "loads"),
    [
        ("", (), ()),
        ("1", (), ("-p", "unlearn")),
        ("1", ("-punlearn",), ()),
        ("1", ("-p", "pytest_unlearn.plugin.hooks", "-x"), ()),
        ("1", ("-p", "xdist"), ("-p", "unlearn")),
    ],
)
def test_the_plugin_is_loaded_where_nothing_else_loads_it(
    disabled: str, arguments: tuple[str, ...], loads: tuple[str, ...]
) -> None:
    command = command_line(arguments, {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": disabled})
    assert command == [sys.executable, "-m", "pytest", *loads, "--unlearn-gate", "--unlearn-report", *arguments]


RELEASED = {"release": True, "reasons": [], "required": ["forgotten"]}
BLOCKED = {"release": False, "reasons": ["no", "and no"], "required": ["forgotten"]}


@pytest.mark.parametrize(
    ("about", "told", "status", "words"),
    [
        ({"gate": RELEASED, "run": {"nonce": "n"}}, 0, 0, ""),
        ({"gate": RELEASED, "run": {"nonce": "m"}}, 0, 0, "does not carry its nonce"),
        ({"gate": RELEASED}, 0, 0, "does not carry its nonce"),
        ({"gate": None, "run": {"nonce": "n"}}, 0, 0, "its gate was not asked"),
        ({"gate": BLOCKED, "run": {"nonce": "n"}}, 1, 1, "no (and 1 more, in "),
        ({"gate": RELEASED, "run": {"nonce": "n"}}, 1, 0, "the run ended with status 0, whatever its report says"),
        ({"gate": RELEASED, "run": {"nonce": "n"}}, 0, -9, "the run ended by signal 9, whatever its report says"),
    ],
)
def test_a_report_is_believed_only_with_this_runs_nonce(
    tmp_path: Path, about: dict[str, object], told: int, status: int, words: str
) -> None:
    path = write(tmp_path / "report.json", claim(), **about)
    (tmp_path / "receipt").write_text(json.dumps({"report": str(path), "status": told}))
    found = objection("n", tmp_path / "receipt", status)
    assert words in found
    assert bool(found) == bool(words)


def test_a_report_that_is_gone_is_no_report(tmp_path: Path) -> None:
    path = change(write(tmp_path / "report.json", claim()), lambda document: None)
    (tmp_path / "receipt").write_text(json.dumps({"report": str(path), "status": 0}))
    path.unlink()
    assert objection("n", tmp_path / "receipt", 0) == "the run ended with status 0 and wrote no report"
