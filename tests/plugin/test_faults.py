"""A report that was asked for and could not be written fails the run, says why and leaves nothing half done."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys

import pytest

from pytest_unlearn.report import write
from tests.plugin.conftest import Suite

FILES = set(write.FILES) - {"attestation.json"}  # these suites name no released file to attest
SUITE = "def test_a(): audit()\ndef test_b(): audit()"


def namespaces() -> bool:
    """Whether this machine lets a process mount a file system that only its children see."""
    if shutil.which("unshare") is None:
        return False
    probe = ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def private_mounts() -> None:
    """Skip where nothing can be mounted; the monkeypatched faults below run everywhere."""
    if not namespaces():
        pytest.skip("no private mounts on this machine")


def run_on(suite: Suite, mount: str, prepare: str = "") -> tuple[int, str, list[str]]:
    """Run with the report's directory on a file system of its own: exit status, output, and what is left there."""
    (suite.path / "out").mkdir()
    pytest_run = shlex.join(
        [sys.executable, "-mpytest", *suite.plugins, "--unlearn-report", "--unlearn-report-dir=out"]
    )
    script = f"mount -t tmpfs {mount} tmpfs out && {prepare or 'true'} && {{ {pytest_run}; echo EXIT $?; ls -A out; }}"
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script], cwd=suite.path, capture_output=True, text=True, check=True
    )
    output, _, rest = done.stdout.rpartition("EXIT ")
    status, *left = rest.split()
    return int(status), output, left


def failed_and_said_why(output: str, why: str) -> None:
    """The sentence is in FAILURES and in the section; pytest 9 has it in the short summary as well."""
    sentences = [line for line in output.splitlines() if "the report could not be written to" in line]
    assert len(sentences) >= 2
    assert all(why in line for line in sentences[:2])


@pytest.mark.slow
def test_a_disk_that_is_full(suite: Suite, private_mounts: None) -> None:
    suite.write(test_it=SUITE)
    status, output, left = run_on(suite, "-o size=4k")
    assert status == pytest.ExitCode.TESTS_FAILED
    failed_and_said_why(output, "No space left on device")
    assert set(left) <= FILES  # no temporary file


@pytest.mark.slow
def test_a_disk_that_is_full_keeps_what_an_earlier_run_wrote_and_says_that_it_is_old(
    suite: Suite, private_mounts: None
) -> None:
    suite.write(test_it=SUITE)
    status, output, left = run_on(suite, "-o size=8k", "head -c 8192 /dev/zero > out/report.md")
    assert status == pytest.ExitCode.TESTS_FAILED
    failed_and_said_why(output, "earlier run")
    assert left in (["previous"], ["report.md"])  # set aside, or not if the disk has no room for a folder either


@pytest.mark.slow
def test_a_directory_that_is_read_only(suite: Suite, private_mounts: None) -> None:
    suite.write(test_it=SUITE)
    status, output, left = run_on(suite, "-o ro")
    assert status == pytest.ExitCode.TESTS_FAILED
    failed_and_said_why(output, "Read-only file system")
    assert left == []


@pytest.mark.parametrize("arguments", [(), ("-n2",)])
def test_a_file_in_the_way_of_the_directory(suite: Suite, arguments: tuple[str, ...]) -> None:
    suite.write(test_it=SUITE)
    (suite.path / "out").write_text("in the way")
    result = suite.run("--unlearn-report", "--unlearn-report-dir=out", "--unlearn-gate", *arguments)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["release gate: release", "FAILED unlearn::report*"])
    assert (suite.path / "out").read_text() == "in the way"


@pytest.mark.slow
@pytest.mark.parametrize("step", ["Path.write_text", "os.replace", "tempfile.mkdtemp"])
def test_a_fault_at_any_step_leaves_nothing_half_done(suite: Suite, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    suite.write(test_it=SUITE)
    with monkeypatch.context() as patched:
        patched.setattr(f"pytest_unlearn.report.write.{step}", refuse)
        result = suite.run("--unlearn-report")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=2, failed=1)
    failed_and_said_why(result.stdout.str(), "No space left on device")
    left = [path.name for path in (suite.path / ".unlearn").rglob("*") if path.is_file()]
    assert set(left) <= {".gitignore", "history.jsonl"}


@pytest.mark.slow
def test_the_last_report_is_set_aside_whole_when_the_next_cannot_be_written(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    suite.write(test_it=SUITE)
    suite.run("--unlearn-report")
    folder = suite.path / ".unlearn/report"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with monkeypatch.context() as patched:
        patched.setattr("pytest_unlearn.report.write.tempfile.mkdtemp", refuse)
        output = suite.run("--unlearn-report").stdout.str()
    assert [path.name for path in folder.iterdir()] == ["previous"]
    assert {path.name: path.read_bytes() for path in (folder / "previous").iterdir()} == before
    failed_and_said_why(output, "the report of an earlier run is in previous/")
    suite.run("--unlearn-report")
    assert {path.name for path in folder.iterdir()} == FILES


@pytest.mark.slow
@pytest.mark.parametrize("death", ["os._exit(0)", "os.kill(os.getpid(), 15)"])
def test_a_run_that_dies_leaves_no_report_that_could_be_taken_for_its_own(suite: Suite, death: str) -> None:
    suite.write(test_it=SUITE)
    suite.run("--unlearn-report")
    suite.write(test_it=f"{SUITE}\ndef test_c(): {death}")
    suite.run("--unlearn-report", subprocess=True)
    assert [path.name for path in (suite.path / ".unlearn/report").iterdir()] == ["previous"]
