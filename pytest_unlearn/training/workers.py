"""Run jobs in several processes: helpers of this one, or those of a cluster.

Whatever backend `joblib.parallel_config` names is used. The code of modules that another process could not import is
sent along.
"""

from __future__ import annotations

import importlib
import os
import sys
import types
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from pytest_unlearn.training.fingerprint.imports import is_project_file
from pytest_unlearn.training.pool import Work, share_out


@dataclass(frozen=True)
class Workers:
    """Processes that work at once.

    `count` is how many, -1 for as many as there are. `elsewhere` says that they are a cluster's: they may see neither
    this process's folders nor what is in its memory.
    """

    count: int
    elsewhere: bool = False

    def run(self, jobs: Sequence[Any], here: Work, there: Work) -> Iterator[Any]:
        """Yield what is made of each job, in the order in which they are done.

        Args:
            jobs: what is to be done.
            here: `here(position, job)`, called in this process, which works along with processes of its own.
            there: the same for other processes.
        """
        if not self.elsewhere:
            yield from share_out(jobs, here, there, self.count - 1, _picklers()[0], _sent_whole)
            return
        from joblib import Parallel, delayed, wrap_non_picklable_objects
        from joblib.parallel import get_active_backend

        # Ray's backend hands over everything at the end.
        as_done = getattr(get_active_backend()[0], "supports_return_generator", False)
        with _sent_whole(elsewhere=True):
            # Arrays are sent as they are: a memory map would be read-only in the worker, unlike in this process.
            how = "generator_unordered" if as_done else "list"
            pool = Parallel(n_jobs=self.count, return_as=how, max_nbytes=None, batch_size=1)
            # A cluster pickles by name what it can, and only then asks the pickler that sends code.
            send = wrap_non_picklable_objects
            yield from pool(delayed(send(partial(there, *each)))() for each in enumerate(jobs))


def workers(n_jobs: int, waiting: int) -> Workers | None:
    """Say which processes are to do `waiting` jobs; None if this one is.

    Args:
        n_jobs: how many processes, -1 for one a core; 1 leaves it to `joblib.parallel_config`, where there is one.
        waiting: how many jobs there are.

    Returns:
        The workers. Threads are none: what a training seeds belongs to the process, so that two cannot share it.
    """
    if waiting < 2 and n_jobs != 1:
        return None
    from joblib.parallel import get_active_backend

    backend, configured = get_active_backend()
    if getattr(backend, "supports_sharedmem", False):
        return None
    elsewhere = type(backend).__name__ != "LokyBackend"
    if elsewhere:
        return Workers(n_jobs if n_jobs != 1 else configured or -1, elsewhere=True)
    count = _share(n_jobs if n_jobs != 1 else configured or 1)
    return None if count == 1 or waiting < 2 else Workers(count)


def _share(n_jobs: int) -> int:
    """Say how many processes may train for this one: pytest's other workers (xdist) use the same cores."""
    import joblib

    cores, others = joblib.cpu_count(), int(os.environ.get("PYTEST_XDIST_WORKER_COUNT") or 1)
    wanted = cores if n_jobs < 0 else n_jobs
    return wanted if others == 1 else max(1, min(wanted, cores // others))


def sendable(work: Any) -> bool:
    """Tell whether another process can be sent this: no lock or open file can."""
    import joblib  # noqa: F401  # it loads the pickler that it sends with

    with _sent_whole(False):
        try:
            _picklers()[0].dumps(work)
        except Exception:  # whatever a class of the user's own raises when it is pickled
            return False
    return True


@contextmanager
def _sent_whole(elsewhere: bool = False) -> Iterator[None]:
    """Send by value the code of modules that a worker could not import."""
    sent = [(pickler, module) for pickler in _picklers() for module in _modules_to_send(pickler, elsewhere)]
    for pickler, module in sent:
        pickler.register_pickle_by_value(module)
    try:
        yield
    finally:
        for pickler, module in sent:
            pickler.unregister_pickle_by_value(module)


def _picklers() -> list[Any]:
    """Find joblib's pickler, before its version 1.6 a copy of its own, and a cluster's."""
    found = []
    for name in ("joblib.externals.cloudpickle", "cloudpickle"):
        try:
            found.append(importlib.import_module(name))
        except ImportError:
            continue
    return found


def _modules_to_send(pickler: Any, elsewhere: bool) -> list[types.ModuleType]:
    """List a project's modules that workers cannot import; those of a cluster have no path to any of them."""
    already = set(pickler.list_registry_pickle_by_value())
    ours = {name: module for name, module in list(sys.modules.items()) if _of_project(name, module)}
    return [
        module
        for name, module in ours.items()
        if name not in already and ((elsewhere and not _installed(name)) or _hidden(name, module))
    ]


def _of_project(name: str, module: types.ModuleType | None) -> bool:
    """Tell whether a module is the user's, other than the script that runs."""
    file = getattr(module, "__dict__", {}).get("__file__")
    scripts = ("__main__", "__mp_main__")
    return bool(file) and getattr(module, "__name__", None) == name and name not in scripts and is_project_file(file)


def _installed(name: str) -> bool:
    """Tell whether a module is this package's, which workers have as well."""
    return name.partition(".")[0] == __name__.partition(".")[0]


def _hidden(name: str, module: types.ModuleType) -> bool:
    """Tell whether a project's module is loaded under a name not on sys.path."""
    search: list[str] | None = None
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        try:
            spec = PathFinder.find_spec(".".join(parts[:end]), search)
        except (ImportError, ValueError):
            return True
        if spec is None:
            return not _editable(parts[0])
        search = list(spec.submodule_search_locations or ())
    origin = spec.origin if spec else None
    return origin is None or Path(origin).resolve() != Path(str(module.__file__)).resolve()


def _editable(top: str) -> bool:
    """Tell whether a package's import hook, known to workers, finds a module."""
    hooks = [finder for finder in sys.meta_path if getattr(finder, "__module__", "").startswith("__editable__")]
    return any(finder.find_spec(top, None) is not None for finder in hooks)
