"""Training shows on the terminal although pytest captures; what the training itself prints does not."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys

from tests.plugin.conftest import Suite

SUITE = """
import pytest
from pytest_unlearn.plugin.capture import Uncaptured

@pytest.fixture(scope="session")
def stream(pytestconfig):
    manager = pytestconfig.pluginmanager
    return Uncaptured(manager.getplugin("terminalreporter"), manager.getplugin("capturemanager"))

def test_before(): pass
def test_a(stream):
    print("noise of the training")
    stream.write(f"training 1/4, terminal: {stream.isatty()}\\n")
"""


def test_it_passes_the_capture_on_a_line_of_its_own(suite: Suite) -> None:
    suite.write(test_it=SUITE)
    result = suite.run(subprocess=True)
    result.stdout.fnmatch_lines(["test_it.py .", "training 1/4, terminal: False"])
    result.stdout.no_fnmatch_line("*noise*")


def test_the_terminal_behind_the_capture_is_recognised(suite: Suite) -> None:
    suite.write(test_it=SUITE)
    command = (sys.executable, "-m", "pytest", *suite.plugins)
    read, write = pty.openpty()
    done = subprocess.run(command, stdout=write, stderr=write, cwd=suite.path, check=False)
    os.close(write)
    shown = b""
    with contextlib.suppress(OSError):  # how a terminal says that it was closed
        while chunk := os.read(read, 65536):
            shown += chunk
    os.close(read)
    assert done.returncode == 0
    assert b"training 1/4, terminal: True" in shown
