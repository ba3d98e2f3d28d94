"""Training shows on the terminal although pytest captures; what the training itself prints does not."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys

import pytest

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


TRAINING = """
import time
import numpy as np
import pytest
import pytest_unlearn.core.progress as core
from pytest_unlearn import Split

core.EVERY = 0.1

def train(dataset, *, seed):
    print("noise of the training")
    time.sleep(0.35)
    return lambda x: np.zeros((len(x), 2))

@pytest.fixture(scope="session")
def unlearn_split():
    X, y = np.arange(80.0).reshape(40, 2), np.arange(40) % 2
    return Split((X[:20], y[:20]), forget=[0, 1], test=(X[20:], y[20:]))

@pytest.fixture(scope="session")
def unlearn_recipe():
    return train
"""


@pytest.mark.slow
def test_without_a_terminal_lines_say_what_is_trained_and_how_long_it_takes(suite: Suite) -> None:
    pytest.importorskip("torch")
    suite.pytester.makeconftest(TRAINING)
    suite.write(test_it="def test_a(unlearning_task): assert unlearning_task.original and unlearning_task.retrained")
    result = suite.run(subprocess=True)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        [
            "pytest-unlearn: training the original, for * s so far; 1 model to train",
            "pytest-unlearn: training retrained model 1 of 4, for * s so far; about * s left for 4 models",
            "pytest-unlearn: training retrained model 4 of 4, for * s so far; about * s left for 1 model",
        ]
    )
    result.stdout.no_fnmatch_line("*noise*")
    result.stdout.no_fnmatch_line("*reference*")
