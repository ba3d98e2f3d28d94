"""What every run of pytest pays where the plugin is installed."""

import os
import resource
import subprocess
import sys

import numpy as np
import pytest

pytestmark = pytest.mark.benchmark

MOST = 0.020  # seconds of CPU
ROUNDS = 25


def test_an_empty_test_costs_at_most_twenty_milliseconds_more_with_the_plugin(benchmark, tmp_path):
    (tmp_path / "test_it.py").write_text("def test():\n    pass\n")
    (tmp_path / "plain.py").write_text("")  # for any plugin's name pytest reads the metadata of all packages once

    # With bytecode, as any second run has it.
    unwritten = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH")
    environment = {name: value for name, value in os.environ.items() if name not in unwritten}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"

    def cpu(*arguments):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "--rootdir=.", *arguments],
            cwd=tmp_path, env=environment, check=True, capture_output=True,
        )  # fmt: skip
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    extra = []

    def both():
        extra.append(cpu("-p", "pytest_unlearn.plugin.hooks") - cpu("-p", "plain", "-p", "no:unlearn"))

    benchmark.pedantic(both, rounds=ROUNDS, warmup_rounds=1)
    more = float(np.median(extra[1:]))
    benchmark.extra_info.update(
        work="an empty test with the plugin", baseline="-p no:unlearn, and an empty plugin",
        measured=f"{1000 * more:.0f} ms more",
        target=f"at most {1000 * MOST:.0f} ms more", clock="CPU",
    )  # fmt: skip
    assert more <= MOST
