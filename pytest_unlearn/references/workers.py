"""Train in worker processes: what they can store the parent reads back, what they cannot they send."""

from __future__ import annotations

import importlib
import logging
import sys
import types
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_unlearn.references.recipe import builder
from pytest_unlearn.references.sources import is_project_file

if TYPE_CHECKING:
    from pytest_unlearn.references.store import Store
    from pytest_unlearn.references.training import Job, Trained


def train_in_workers(
    jobs: Sequence[Job], waiting: Sequence[int], store: Store | None, fresh: bool, n_jobs: int
) -> Iterator[tuple[int, Trained]]:
    """Train models at the same time in processes of their own.

    Args:
        jobs: all models.
        waiting: the positions of those to train.
        store: where they are kept, if anywhere.
        fresh: whether to train what is in the store again.
        n_jobs: how many processes; -1 for one a core.

    Yields:
        Each position and its model, as they come.
    """
    from joblib import Parallel, delayed

    from pytest_unlearn.references.training import keep, train_one

    # A worker that is used again may have been started in another folder.
    shared = store and replace(store, directory=store.directory.absolute())
    with _sent_whole():
        # Arrays are sent as they are: a memory map would be read-only in the worker, unlike in this process.
        pool = Parallel(n_jobs=n_jobs, backend="loky", return_as="generator_unordered", max_nbytes=None)
        for index, trained, kept in pool(delayed(_work)(index, jobs[index], shared, fresh) for index in waiting):
            if kept and store is not None:
                found = store.peek(jobs[index].key, builder(jobs[index].recipe)).model
                if found is None:
                    # Somebody removed it since; the worker has sent only the news.
                    yield index, train_one(jobs[index], store, False)[0]
                else:
                    yield index, replace(trained, model=found)
            elif store is not None and trained.source == "trained":
                # A class that only this process can find by name may be storable here.
                with store.lock(jobs[index].key):
                    yield index, keep(trained, jobs[index], store)[0]
            else:
                yield index, trained


def _work(index: int, job: Job, store: Store | None, fresh: bool) -> tuple[int, Trained, bool]:
    from pytest_unlearn.references.training import train_one

    # The parent says what there is to say, once, and in the place where its user looks.
    logger = logging.getLogger("pytest_unlearn")
    logger.disabled = True
    try:
        trained, kept = train_one(job, store, fresh)
    finally:
        logger.disabled = False
    return index, replace(trained, model=None) if kept else trained, kept


@contextmanager
def _sent_whole() -> Iterator[None]:
    """Send code of modules that a worker could not import, such as a conftest's, by value."""
    cloudpickle: Any
    try:
        # Before joblib 1.6 the pickler that counts is a copy of its own.
        cloudpickle = importlib.import_module("joblib.externals.cloudpickle")
    except ImportError:
        cloudpickle = importlib.import_module("cloudpickle")
    already = set(cloudpickle.list_registry_pickle_by_value())
    modules = [module for name, module in list(sys.modules.items()) if name not in already and _only_here(name, module)]
    for module in modules:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)


def _only_here(name: str, module: types.ModuleType | None) -> bool:
    """Whether a module of the project is loaded under a name that sys.path does not lead to."""
    file = getattr(module, "__dict__", {}).get("__file__")
    if not file or getattr(module, "__name__", None) != name or name in ("__main__", "__mp_main__"):
        return False
    if not is_project_file(file):
        return False
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
    return origin is None or Path(origin).resolve() != Path(file).resolve()


def _editable(top: str) -> bool:
    """Whether an import hook of an installed package, rather than the path, finds a module; workers have these too."""
    hooks = [finder for finder in sys.meta_path if getattr(finder, "__module__", "").startswith("__editable__")]
    return any(finder.find_spec(top, None) is not None for finder in hooks)
