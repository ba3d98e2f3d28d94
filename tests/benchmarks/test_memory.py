"""What an audit of many classes takes above data and models, and how that grows."""

import json
import subprocess
import sys
from functools import cache

import numpy as np
import pytest

pytestmark = pytest.mark.benchmark

MOST = 600  # MB


@cache
def measured(examples, classes, references=4):
    arguments = [str(number) for number in (examples, classes, references)]
    command = [sys.executable, "-m", "tests.benchmarks.many_classes", *arguments]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def exponent(what, small, large):
    """The power of the factor between two sizes, each (examples, classes, references), with which something grows."""
    factor = np.prod(large, dtype=float) / np.prod(small, dtype=float)
    return float(np.log(measured(*large)[what] / measured(*small)[what]) / np.log(factor))


def test_200_000_examples_of_1_000_classes_fit_in_600_megabytes_above_data_and_models(benchmark):
    benchmark.pedantic(lambda: measured(200_000, 1_000), rounds=1)
    found = measured(200_000, 1_000)["megabytes"]
    benchmark.extra_info.update(
        work="audit_forgotten, 200,000 examples x 1,000 classes, 4 references, a linear model",
        baseline="none: memory above data and models", clock="none", measured=f"{found:.0f} MB",
        target=f"at most {MOST} MB",
    )  # fmt: skip
    assert found <= MOST


@pytest.mark.parametrize(
    ("factor", "small", "large"),
    [
        ("examples", (20_000, 200, 4), (160_000, 200, 4)),
        ("classes", (20_000, 200, 4), (20_000, 1_600, 4)),
        ("references", (20_000, 200, 4), (20_000, 200, 16)),
    ],
)
def test_its_time_is_linear_in_each_factor(benchmark, factor, small, large):
    benchmark.pedantic(lambda: (measured(*small), measured(*large)), rounds=1)
    power = exponent("seconds", small, large)
    benchmark.extra_info.update(
        work=f"audit_forgotten, {np.prod(large) // np.prod(small)} times the {factor}", baseline="the same of fewer",
        clock="CPU", measured=f"{factor} to the power of {power:.2f}", target="at most 1.1",
    )  # fmt: skip
    assert power <= 1.1
