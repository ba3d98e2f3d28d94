"""Note of each benchmark whether it met its target, for the table in docs/benchmarks.md."""

from collections.abc import Generator

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    benchmark = getattr(item, "funcargs", {}).get("benchmark")
    if call.when == "call" and benchmark is not None:
        benchmark.extra_info["met"] = call.excinfo is None
    return (yield)
