"""Let a session's trainings run where the options say: on a cluster's workers."""

from __future__ import annotations

import importlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pytest_unlearn.core import settings
from pytest_unlearn.plugin.session import LAYERS


@pytest.hookimpl(trylast=True)  # once every layer of settings has been read
def pytest_configure(config: pytest.Config) -> None:
    """Refuse an address that nothing would use."""
    if _chosen(config, "scheduler") is not None and _chosen(config, "backend") is None:
        raise pytest.UsageError("--unlearn-scheduler names a cluster for --unlearn-backend, such as dask: give both")


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, Any, Any]:
    """Choose the backend for as long as tests run, in each process that runs them."""
    config = session.config
    backend = _chosen(config, "backend")
    hands_out = config.getoption("dist", "no") != "no" and not hasattr(config, "workerinput")
    if backend is None or hands_out or config.option.collectonly:
        return (yield)
    with _chosen_backend(backend, _chosen(config, "scheduler")):
        return (yield)


def _chosen(config: pytest.Config, name: str) -> Any:
    return settings.resolve(name, None, config.stash.get(LAYERS, {})).value  # none where the hooks are switched off


@contextmanager
def _chosen_backend(backend: str, scheduler: str | None) -> Iterator[None]:
    """Activate one of joblib's backends, or say what it lacks."""
    import joblib

    parameters = {} if scheduler is None else {"scheduler_host": scheduler}
    try:
        if backend == "ray":
            importlib.import_module("ray.util.joblib").register_ray()
        active = joblib.parallel_config(backend=backend, n_jobs=-1, **parameters)
    except (ImportError, ValueError, TypeError, OSError) as error:
        hint = {"dask": "pip install distributed", "ray": "pip install ray"}.get(backend)
        advice = f"; it needs `{hint}`" if hint else "; joblib knows loky and, where they are installed, dask and ray"
        where = f" with the scheduler {scheduler}" if scheduler else ""
        raise pytest.UsageError(f"--unlearn-backend {backend} cannot be used{where}: {error}{advice}") from error
    with active:
        yield
