"""Train reference models, each once, in this process or in workers, or fetch them.

What workers can store the parent reads back; what they cannot they send.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np

from pytest_unlearn.core.progress import Progress, report_progress
from pytest_unlearn.core.seal import Sealed
from pytest_unlearn.training.announcement import Announcement
from pytest_unlearn.training.cache.store import SCHEMA, Fetched, Store
from pytest_unlearn.training.fingerprint.imports import version_of
from pytest_unlearn.training.recipes import builder
from pytest_unlearn.training.seeding import isolated
from pytest_unlearn.training.signatures import check_recipe
from pytest_unlearn.training.workers import Workers, workers

ModelSource = Literal["store", "trained", "retrained: damaged cache", "retrained: not sealed"]
_KEY_SCHEMA = 2


@dataclass(frozen=True)
class Job:
    """Describe one model to have; its key is what `reference_key` gives.

    An empty key is of a model that nothing identifies: it is kept nowhere. `own` asks for one that was made in this
    run, or that a key vouches for: whatever else the store has is made again. `what` says which model it is, as in "the
    original" or "retrained model 2 of 4". `then(model)` is the job that follows, in the same process, once the model is
    there: the two are one run, and `what` is its name. `remark` is told beside what goes on.
    """

    recipe: Any
    dataset: Any
    seed: int
    key: str
    own: bool = False
    what: str = "a model"
    then: Callable[[Any], Job] | None = None
    remark: str = ""

    @property
    def unit(self) -> str:
        """What it is one of."""
        return "model" if self.then is None else "run"

    @property
    def doing(self) -> str:
        """Say what goes on while it is made."""
        if self.then is not None:
            return self.what
        return str(getattr(self.recipe, "doing", f"training {self.what}"))


@dataclass(frozen=True)
class Trained:
    """Hold one model, the seconds its training took once, and where it came from.

    `sealed` says which key the store's copy is sealed with: "key", "run", or none; `kept` that `model` is that copy.
    `made` is what the job that followed made of it.
    """

    model: Any
    key: str
    seed: int
    seconds: float
    source: ModelSource
    sealed: Sealed = ""
    kept: bool = False
    made: Trained | None = None

    @property
    def links(self) -> tuple[Trained, ...]:
        """This model, and what was made of it in turn."""
        return (self, *(self.made.links if self.made is not None else ()))

    @property
    def worked(self) -> float:
        """The seconds spent now on it and what followed: the store's models took none."""
        return sum(link.seconds for link in self.links if link.source != "store")

    @property
    def origin(self) -> str:
        """Say where the model came from, for the evidence."""
        if self.source == "store" and self.sealed != "run":
            return "cache, sealed with a key" if self.sealed else "cache, not sealed with a key"
        return "made in this run" + {
            "retrained: damaged cache": ", as the cache's was damaged",
            "retrained: not sealed": ", as the cache's was not sealed with the key",
        }.get(self.source, "")


def reference_key(recipe_fingerprint: str, data_digest: str, indices: Any, seed: int, device: str | None = None) -> str:
    """Compute a model's key, which changes with all that its weights depend on.

    Args:
        recipe_fingerprint: the recipe's `fingerprint`.
        data_digest: a digest of the whole training set.
        indices: the examples of it that are trained on, in order; None for all.
        seed: of the training.
        device: such as "cuda:1", of which only the type counts; None is the CPU.

    Returns:
        64 hexadecimal digits.
    """
    chosen = None if indices is None else np.ascontiguousarray(indices, dtype=np.int64)
    facts = {
        # Two versions that store models differently share a cache without taking each other's for damaged.
        "schema": [_KEY_SCHEMA, SCHEMA],
        "recipe": recipe_fingerprint,
        "data": data_digest,
        "indices": None if chosen is None else hashlib.sha256(chosen.tobytes()).hexdigest(),
        "seed": int(seed),
        "device": str(device or "cpu").partition(":")[0],
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "versions": {name: version_of(name) for name in ("torch", "numpy", "scikit-learn")},
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def train_all(
    jobs: Sequence[Job],
    *,
    store: Store | None,
    n_jobs: int = 1,
    fresh: bool = False,
    progress: Progress = report_progress,
    seconds: Sequence[float] = (),
    enough: Callable[[Trained, Trained], bool] | None = None,
) -> list[Trained]:
    """Fetch every model from the store, or train it on one thread and store it.

    Several processes may do this at once, on the same store: each model is trained by one of them.

    Args:
        jobs: the models to have.
        store: where they are kept; None trains all of them, and keeps none.
        n_jobs: how many worker processes train at the same time, -1 for one a core; 1 trains in this one, unless
            `joblib.parallel_config` names workers.
        fresh: whether to train what is in the store again.
        progress: told of each model that is trained.
        seconds: that such trainings took just now, which tells how long these will take.
        enough: asked of the first two models that are there; where it says so, the others are not trained.

    Returns:
        A result for each job that was done, in their order, with what followed.

    Raises:
        TypeError: a recipe cannot be called with a dataset and a `seed`, or returns None.
        Exception: what a recipe raises, with a note that names the seed.
    """
    if n_jobs == 0 or n_jobs < -1:
        raise ValueError(f"n_jobs is {n_jobs}: use 1 to train in this process, more for workers, -1 for every core")
    for job in jobs:
        check_recipe(job.recipe)
    results: dict[int, Trained] = {}
    refused: dict[int, ModelSource] = {}
    for index, job in enumerate(jobs):
        found = _look_up(job, store) if store is not None and not fresh else None
        if isinstance(found, Trained):
            results[index] = found
        elif found is not None:
            refused[index] = found
    waiting = [index for index in range(len(jobs)) if index not in results]
    others = workers(n_jobs, len(waiting)) if waiting else None
    told = Announcement(jobs, waiting, others.count if others else 1, seconds)
    if others is None:
        coming = _train_here(jobs, waiting, store, fresh, told)
    else:
        coming = _train_in_workers(jobs, waiting, store, fresh, others)

    def models() -> Iterator[Trained]:
        for index, trained in coming:
            results[index] = _again(trained, refused[index]) if index in refused else trained
            told.done(index, trained)
            yield results[index]

    there = list(results.values())

    def over() -> bool:
        return enough is not None and len(there) == 2 and enough(*there)

    if waiting and not over():
        with closing(coming):
            for trained in progress(models(), len(waiting), "models", told.line, told.now):
                there.append(trained)
                if over():
                    break
    return [results[index] for index in sorted(results)]


def _again(trained: Trained, why: ModelSource) -> Trained:
    """Note on the first model that was made why the store's was not taken."""
    if trained.source == "trained":
        return replace(trained, source=why)
    return trained if trained.made is None else replace(trained, made=_again(trained.made, why))


def _train_one(job: Job, store: Store | None, fresh: bool) -> Trained:
    """Train one model, unless the store has it by now, and whatever follows."""
    done = _train_link(job, store, fresh)
    return done if job.then is None else replace(done, made=_train_one(job.then(done.model), store, fresh))


def _train_link(job: Job, store: Store | None, fresh: bool) -> Trained:
    if store is None or not job.key:
        return _run(job)
    with store.lock(job.key):
        if not fresh:
            found = store.fetch(job.key, builder(job.recipe))
            if _suits(found, job):
                return _from_store(found, job)
        return _keep(_run(job), job, store)


def _from_store(found: Fetched, job: Job) -> Trained:
    seconds = float((found.info or {}).get("seconds", 0.0))
    return Trained(found.model, job.key, job.seed, seconds, "store", found.sealed, kept=True)


def _suits(found: Fetched, job: Job) -> bool:
    return found.model is not None and (bool(found.sealed) or not job.own)


def _keep(trained: Trained, job: Job, store: Store) -> Trained:
    """Store a model and read it back, so that later runs see the same one."""
    info = {"seed": job.seed, "seconds": round(trained.seconds, 3)}
    if not store.put(job.key, trained.model, info, builder(job.recipe)):
        return trained
    again = _own(job, store)
    return trained if again is None else replace(trained, model=again, kept=True)


def _own(job: Job, store: Store) -> Any:
    """Read back what this run has just stored; None if it is gone, or if somebody put another there since."""
    found = store.peek(job.key, builder(job.recipe))
    return found.model if found.sealed else None


def _look_up(job: Job, store: Store) -> Trained | ModelSource | None:
    """Fetch a model and what follows, or say why what is there is not taken; None if one is missing."""
    if not job.key:
        return None
    build = builder(job.recipe)
    found = store.peek(job.key, build)
    if found.damage is not None:
        # It may be half written by another process: only who holds the lock can tell that from damage.
        with store.lock(job.key, wait=False) as ours:
            found = store.fetch(job.key, build) if ours else found
            if found.damage is not None:
                refused: ModelSource = "retrained: not sealed" if found.unsealed else "retrained: damaged cache"
                return refused if ours else None
    if not _suits(found, job):
        return None
    first = _from_store(found, job)
    if job.then is None:
        return first
    made = _look_up(job.then(first.model), store)
    return replace(first, made=made) if isinstance(made, Trained) else made


def _train_here(
    jobs: Sequence[Job], waiting: Sequence[int], store: Store | None, fresh: bool, told: Announcement
) -> Generator[tuple[int, Trained]]:
    """Train in turn, leaving models that another process trains for last."""
    busy = []
    for index in waiting:
        if store is not None and jobs[index].key and not fresh:
            with store.lock(jobs[index].key, wait=False) as ours:
                if not ours:
                    busy.append(index)
                    continue
        told.begin(index)
        yield index, _train_one(jobs[index], store, fresh)
    for index in busy:
        told.begin(index)
        yield index, _train_one(jobs[index], store, fresh)


def _run(job: Job) -> Trained:
    who = getattr(job.recipe, "role", "the recipe")
    started = time.perf_counter()
    try:
        with isolated(job.seed):
            model = job.recipe(job.dataset, seed=job.seed)
        if model is None:
            raise TypeError(f"{who} returned None: it must return the model (is a `return` missing?)")
    except Exception as error:
        note = f"while {job.doing} with seed {job.seed}"
        # Exception.add_note came with Python 3.11.
        error.__notes__ = [*getattr(error, "__notes__", []), note]  # type: ignore[attr-defined,unused-ignore]
        raise
    return Trained(model, job.key, job.seed, time.perf_counter() - started, "trained")


def _train_in_workers(
    jobs: Sequence[Job], waiting: Sequence[int], store: Store | None, fresh: bool, others: Workers
) -> Generator[tuple[int, Trained]]:
    """Train models in processes at once, and yield each with its position."""
    shared = None if store is None else store.for_workers(others.elsewhere)
    wanted = [jobs[index] for index in waiting]
    here, there = partial(_work_here, store=store, fresh=fresh), partial(_work, store=shared, fresh=fresh)
    for position, made, was_sent in others.run(wanted, here, there):
        index = waiting[position]
        yield index, _received(made, jobs[index], store) if was_sent else made


def _received(sent: Trained, job: Job, store: Store | None) -> Trained:
    """Have what a worker made: it sends the news alone of what it could store."""
    done = sent
    if sent.kept and store is not None:
        store.seal_again(sent.key)
        found = None if sent.source == "store" else _own(job, store)
        # What was trained in this run somebody may have removed or exchanged since.
        again = job if sent.source == "store" else replace(job, own=True)
        done = _train_link(again, store, False) if found is None else replace(sent, model=found)
    elif store is not None and job.key and sent.source == "trained":
        # It comes from another machine, or only this process can find its class by name.
        with store.lock(job.key):
            done = _keep(sent, job, store)
    if job.then is None or sent.made is None:
        return done
    return replace(done, made=_received(sent.made, job.then(done.model), store))


def _work_here(position: int, job: Job, *, store: Store | None, fresh: bool) -> tuple[int, Trained, bool]:
    return position, _train_one(job, store, fresh), False


def _work(position: int, job: Job, *, store: Store | None, fresh: bool) -> tuple[int, Trained, bool]:
    # The parent logs what there is to log, once, and in the place where its user looks.
    logger = logging.getLogger("pytest_unlearn")
    logger.disabled = True
    try:
        return position, _sent(_train_one(job, store, fresh)), True
    finally:
        logger.disabled = False


def _sent(trained: Trained) -> Trained:
    """Leave out the models that the store has."""
    made = None if trained.made is None else _sent(trained.made)
    return replace(trained, model=None if trained.kept else trained.model, made=made)
