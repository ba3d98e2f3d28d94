"""Shared by all tests."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

# Where dask is installed, its import brings this, which takes the finder of packages away from the standard library for
# good. Imported within a test that runs pytest in this process it would be forgotten at the test's end.
with suppress(ImportError):
    import importlib_metadata  # noqa: F401

# What is tested divides its processes by the number of workers that pytest has; our own would count as the users'.
os.environ.pop("PYTEST_XDIST_WORKER_COUNT", None)

pytest_plugins = ["pytester"]

_FIRST_STATES: dict[str, dict[str, Any]] = {}


def _generator(item: pytest.Item) -> np.random.Generator | None:
    found = getattr(getattr(item, "module", None), "RNG", None)
    return found if isinstance(found, np.random.Generator) else None


def pytest_itemcollected(item: pytest.Item) -> None:
    """Note how each module's RNG stood when it was imported; refuse a name that another worker would not give."""
    if " at 0x" in item.nodeid:
        raise pytest.UsageError(f"{item.nodeid} is named after an address in memory: give its parameters ids.")
    if (generator := _generator(item)) is not None:
        _FIRST_STATES.setdefault(item.module.__name__, dict(generator.bit_generator.state))  # type: ignore[attr-defined]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Every test draws the same numbers, whichever tests ran before it in this worker."""
    if (generator := _generator(item)) is not None:
        generator.bit_generator.state = _FIRST_STATES[item.module.__name__]  # type: ignore[attr-defined]
