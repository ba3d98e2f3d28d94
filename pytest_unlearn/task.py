"""UnlearningTask: what must go, and the models that an audit compares with."""

from __future__ import annotations

import logging
import statistics
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pytest_unlearn.core import settings
from pytest_unlearn.core.arguments import whole_number
from pytest_unlearn.core.array_memory import ANSWERS, ArrayMemory
from pytest_unlearn.core.cache_place import cache_folder
from pytest_unlearn.core.evidence import IntArray
from pytest_unlearn.core.variables import CACHE_KEY
from pytest_unlearn.data.split import Split, reserve_controls
from pytest_unlearn.data.view import View
from pytest_unlearn.models.acceptance import check_model, checked_models
from pytest_unlearn.models.adapters import identify
from pytest_unlearn.models.answer_memory import AnswerMemory
from pytest_unlearn.models.handle import ModelHandles
from pytest_unlearn.models.text.adapters import bare, check_language_model, checked_language_models
from pytest_unlearn.models.unlearning import Unlearning, UnlearningRequest, method_digest, read_method
from pytest_unlearn.training import (
    Job,
    Progress,
    Store,
    Trained,
    UnknownRecipe,
    builder,
    check_recipe,
    check_unlearner,
    checked_device,
    fingerprint,
    in_this_process,
    on_device,
    reference_key,
    report_progress,
    sendable,
    train_all,
    workers,
)

__all__ = ["Split", "UnlearningTask", "View", "reserve_controls"]

FIRST_REFERENCE_SEED = 1000  # far from the small seeds that people give to the models they audit
FIRST_SHADOW_SEED = 4000
SHADOW_MODELS = 16
ANEW = f"a gate takes no model of the method that was kept: without {CACHE_KEY} it runs anew in every audit"
ORIGINAL, RETRAINED = "the original", "retrained model"
_logger = logging.getLogger("pytest_unlearn")


class Wanted(NamedTuple):
    """A model to train: on what, with which seed, and what to call it."""

    dataset: View
    seed: int
    what: str


class UnlearningTask:
    """Hold a deletion request, the original model and retrained ones.

    Args:
        split: what was trained on and what must go; a `TextSplit` for documents of a language model.
        recipe: `recipe(dataset, *, seed) -> model`, how models are trained; not needed if all models are given.
        original: the model that was trained on all of train; trained by the recipe if not given.
        references: how many reference models to train on retain, or a list of models so trained.
        seed: of the original; reference k has seed + 1000 + k.
        cache_dir: where trained models are kept, the path of a folder or a URL as fsspec takes it (`s3://`, `gs://`);
            the setting `cache` by default. Nothing is created before it is needed.
        device: where a TorchRecipe that names none trains, and where torch models are audited: their own by default.
        n_jobs: how many references to train at once.
        fresh: train again, whatever the cache holds.
        batch_size: for models that take batches of one size alone, as compiled ones do: each is asked in batches of
            exactly so many, the last one filled up with copies.
        shadow_models: how many models `attacks="online"` trains with halves of the request, an even number; shadow
            model k has seed + 4000 + k.

    Raises:
        TypeError: something else than a split, a recipe, models or their number.
        ValueError: a number out of its range.
    """

    def __init__(
        self,
        split: Split,
        recipe: Any = None,
        *,
        original: Any = None,
        references: int | Sequence[Any] = 4,
        seed: int = 0,
        cache_dir: str | Path | None = None,
        device: str | None = None,
        n_jobs: int = 1,
        fresh: bool = False,
        batch_size: int | None = None,
        shadow_models: int = SHADOW_MODELS,
    ) -> None:
        if not isinstance(split, Split):
            raise TypeError(f"UnlearningTask needs a Split(train, forget=..., test=...), not {type(split).__name__}.")
        if recipe is not None:
            check_recipe(recipe)
        self.kind = split.kind
        self._check = check_language_model if split.kind == "text" else check_model
        if original is not None:
            self._check(original, "original")
        references = _checked_references(references, split.kind)
        seed = whole_number(seed, "seed", 0)
        if n_jobs != -1:
            n_jobs = whole_number(n_jobs, "n_jobs", 1, "or -1 for every core")
        if batch_size is not None:
            batch_size = whole_number(batch_size, "batch_size", 1)
        if not isinstance(fresh, bool):
            raise TypeError(f"fresh is True or False, not {fresh!r}.")
        if cache_dir is not None and not isinstance(cache_dir, (str, Path)):
            raise TypeError(f"cache_dir is the path of a folder or a URL, not {cache_dir!r}.")
        device = checked_device(device)
        self.split, self.seed, self.device, self.n_jobs = split, seed, device, n_jobs
        self.recipe = on_device(recipe, device)
        self.references, self.fresh = references, fresh
        self.shadow_models = _checked_pairs(shadow_models)
        self.progress: Progress = report_progress
        self._took: list[float] = []  # seconds of the recipe's trainings so far, whenever they were made
        self._just_took: list[float] = []  # of those that were made now
        folder = cache_folder(cache_dir)
        self.store = Store(folder.place)
        self._given_original = bare(original)
        # A task that trains nothing writes nothing, unless it is told where.
        keeps = recipe is not None or cache_dir is not None
        memory = AnswerMemory(ArrayMemory(folder.below(ANSWERS).place), fresh) if keeps else None
        self.models = ModelHandles(split.classes, device, batch_size, memory)
        self.forget = View("forget", split.train, split.forget_indices, self)
        self.retain = View("retain", split.train, split.retain_indices, self)
        self.test = View("test", split.test, np.arange(len(split.test), dtype=np.int64), self)
        self.controls = View("controls", split.held_out, split.control_indices, self)
        for model in self.given_models:
            self.models.keep(model)

    def __repr__(self) -> str:
        return f"<UnlearningTask: forget {len(self.forget)} of {len(self.split.train)}, {len(self.controls)} controls>"

    @property
    def has_original(self) -> bool:
        """Whether there is an original model, given or trainable."""
        return self._given_original is not None or self.recipe is not None

    @property
    def has_references(self) -> bool:
        """Whether there are references, given or trainable."""
        if isinstance(self.references, int):
            return self.recipe is not None and self.references > 0
        return len(self.references) > 0

    @property
    def given_models(self) -> list[Any]:
        """The original and the references that were given, not trained."""
        given = [] if self._given_original is None else [self._given_original]
        return given if isinstance(self.references, int) else [*given, *self.references]

    @cached_property
    def original(self) -> Any:
        """The model that saw everything: given, or trained on all of train."""
        if self._given_original is not None:
            return self._given_original
        if self.recipe is None:
            raise ValueError("this task has no original model: pass original=, or recipe= to train one.")
        model = self._train([Wanted(self._everything, self.seed, ORIGINAL)])[0].model
        self.models.keep(model)
        return model

    @property
    def retrained(self) -> list[Any]:
        """The references, trained under distinct seeds on retain or its bootstraps."""
        if not isinstance(self.references, int):
            return list(self.references)
        return [trained.model for trained in self.trained_references]

    @cached_property
    def trained_references(self) -> list[Trained]:
        """The references this task trained itself, with their keys, seeds and times."""
        if not isinstance(self.references, int) or self.recipe is None or self.references == 0:
            return []
        wanted = self._wanted()
        # The first two that are there tell whether the recipe is deterministic, and save the rest.
        records = self._train(wanted, enough=lambda one, other: self._equal(one.model, other.model))
        if len(records) > 1 and self._equal(records[0].model, records[1].model):
            records = self._train(self._wanted(bootstrapped=True))
        for record in records:
            self.models.keep(record.model)
        return records

    @cached_property
    def bootstrapped(self) -> bool:
        """Whether references are bootstraps, since two seeds gave equal models."""
        records = self.trained_references
        return len(records) > 1 and records[0].key != self._key(self.retain, records[0].seed)

    @property
    def training_seconds(self) -> float | None:
        """The seconds that a training took, roughly, of those that are known."""
        return float(f"{statistics.median(self._took):.2g}") if self._took else None

    def jobs(self, *, bootstrapped: bool = False) -> list[Job]:
        """List the trainings behind `original` and `retrained`; it trains nothing.

        The original's comes first, unless it was given.

        Args:
            bootstrapped: what follows if two seeds give equal models, instead of what is tried first.
        """
        if self.recipe is None:
            return []
        original = [] if self._given_original is not None else [Wanted(self._everything, self.seed, ORIGINAL)]
        return self._jobs([*original, *self._wanted(bootstrapped=bootstrapped)])

    def with_request(
        self,
        forget: Any,
        *,
        controls: Any = None,
        control_groups: Any = None,
        references: int | Sequence[Any] | None = None,
        seed: int | None = None,
    ) -> UnlearningTask:
        """Return a task of the same data and original under another request.

        Args:
            forget: positions in train, or a mask over it.
            controls: never-trained examples to compare it with; this task's by default.
            control_groups: the groups of `controls`.
            references: how many to train without the new request, or a list; as many as this task by default.
            seed: this task's by default.

        Raises:
            ValueError: this task's references are models given by the caller, which know another request, and
                `references` gives no others.
        """
        if references is None and not isinstance(self.references, int):
            raise ValueError(
                "the references given to this task were retrained without another request: pass references=."
            )
        task = UnlearningTask(
            self.split.with_forget(forget, controls=controls, control_groups=control_groups),
            self.recipe,
            original=self.original if self.has_original else None,
            references=self.references if references is None else references,
            seed=self.seed if seed is None else seed,
            cache_dir=self.store.directory,
            device=self.device,
            n_jobs=self.n_jobs,
            fresh=self.fresh,
            batch_size=self.models.batch_size,
            shadow_models=self.shadow_models,
        )
        task.progress = self.progress
        return task

    def unlearn(self, unlearner: Any, *, seed: int | None = None) -> Any:
        """Unlearn the request from the original; kept in the cache like a reference.

        Args:
            unlearner: `unlearner(model, retain, forget, *, seed) -> model`.
            seed: of the unlearner; the task's by default.

        Raises:
            TypeError: what cannot be called so, before the original is trained.
        """
        check_unlearner(unlearner)
        seed = self.seed if seed is None else whole_number(seed, "seed", 0)
        unlearned = self.unlearn_from(self.original, unlearner, self.retain, self.forget, seed=seed)
        made, before = identify(unlearned), self.models.of(self.original).identity
        if not made.obstacle and made.state != before.state:  # what leaves the original as it is has made no model
            self.models.note_method(made.digest, method_digest(unlearner))
        return unlearned

    def unlearn_from(self, model: Any, unlearner: Any, retain: View, forget: View, *, seed: int) -> Any:
        """Unlearn a request from any model.

        The result is kept in the cache if all that it depends on can be identified. A gate speaks of this model: under
        it, one from the cache is taken only if it was made in this run or is sealed with a key.

        Raises:
            TypeError: what cannot be called so.
            ValueError: when the unlearner changed the model that it was given.
        """
        check_unlearner(unlearner)
        whole_number(seed, "seed", 0)
        method, unread = read_method(unlearner)
        if unread:
            _logger.info("the unlearned model is kept in no cache: %s", unread)
        request = self._request(unlearner, method, retain, forget, seed)
        return self._run([request.of(model, self.models.of(model).identity)])[0].model

    def runs(
        self, unlearner: Any, requests: Sequence[tuple[View, View, View]], *, first_seed: int, method_seed: int
    ) -> list[tuple[Any, Any]]:
        """Train a model and unlearn a request from it, for several requests.

        Each run is a job of its own: runs are made at once where `n_jobs` says so, and both of a run's models are kept,
        so that what was interrupted goes on where it stopped.

        Args:
            unlearner: `unlearner(model, retain, forget, *, seed) -> model`.
            requests: for each run what is trained on, and of that what stays and what must go.
            first_seed: of the first run's training; the next run's is one more.
            method_seed: of the first run of the method, likewise.

        Returns:
            The trained and the unlearned model of each run.

        Raises:
            TypeError: what cannot be called so, before anything is trained.
            ValueError: when the unlearner changed the model that it was given.
        """
        check_unlearner(unlearner)
        (method, unread), count = read_method(unlearner), len(requests)
        if unread:
            warnings.warn(f"the method runs anew in every audit, as its models are not kept: {unread}", stacklevel=2)
        trainings = self.jobs_on([train for train, _, _ in requests], first_seed=first_seed)
        remark = ANEW if settings.resolve("gate").value and self.store.keys.key is None else ""
        runs = [
            replace(
                job,
                what=f"run {k + 1} of {count}",
                remark=remark,
                then=self._request(unlearner, method, stay, go, method_seed + k),
            )
            for k, (job, (_, stay, go)) in enumerate(zip(trainings, requests, strict=True))
        ]
        if workers(self.n_jobs, count) is None or sendable(unlearner):
            return [(first.model, made.model) for first, made in (run.links for run in self._run(runs))]
        warnings.warn("the method cannot be sent to other processes, so that its runs are made in turn", stacklevel=2)
        originals = [trained.model for trained in self._run(trainings)]
        followed = [run.then(model) for run, model in zip(runs, originals, strict=True) if run.then is not None]
        with in_this_process():
            return list(zip(originals, (made.model for made in self._run(followed)), strict=True))

    def _request(self, unlearner: Any, method: str, retain: View, forget: View, seed: int) -> UnlearningRequest:
        own = bool(settings.resolve("gate").value)
        return UnlearningRequest(unlearner, method, retain, forget, seed, self.device, own)

    def train_on(self, parts: Sequence[IntArray | View], *, first_seed: int) -> list[Any]:
        """Train on parts of train (positions) or views, seeds from `first_seed`."""
        return [trained.model for trained in self._run(self.jobs_on(parts, first_seed=first_seed))]

    def train_shadows(self, parts: Sequence[View]) -> list[Any]:
        """Train shadow models, for attacks that know models trained with the request."""
        return self.train_on(parts, first_seed=self.seed + FIRST_SHADOW_SEED)

    def shadow_jobs(self, parts: Sequence[View]) -> list[Job]:
        """List the trainings of `train_shadows`; it trains nothing."""
        return self.jobs_on(parts, first_seed=self.seed + FIRST_SHADOW_SEED)

    def jobs_on(self, parts: Sequence[IntArray | View], *, first_seed: int) -> list[Job]:
        """List the trainings of `train_on`; it trains nothing."""
        if self.recipe is None:
            raise ValueError("this task has no recipe to train models with: pass recipe=.")
        views = [
            part if isinstance(part, View) else View("part of train", self.split.train, np.asarray(part), self)
            for part in parts
        ]
        named = (f"model {k} of {len(views)}" for k in range(1, len(views) + 1))
        return self._jobs(
            [Wanted(view, first_seed + k, what) for k, (view, what) in enumerate(zip(views, named, strict=True))]
        )

    @cached_property
    def recipe_fingerprint(self) -> str | None:
        """What identifies the recipe; None if there is none, or nothing does."""
        try:
            return fingerprint(self.recipe) if self.recipe is not None else None
        except UnknownRecipe:
            return None

    def _key(self, dataset: View, seed: int) -> str:
        return reference_key(fingerprint(self.recipe), dataset.digest, dataset.indices, seed, self.device)

    @property
    def _everything(self) -> View:
        return View("train", self.split.train, np.arange(len(self.split.train), dtype=np.int64), self)

    @property
    def _seeds(self) -> list[int]:
        count = self.references if isinstance(self.references, int) else 0
        return [self.seed + FIRST_REFERENCE_SEED + k for k in range(count)]

    def _wanted(self, *, bootstrapped: bool = False) -> list[Wanted]:
        """List the references to train."""
        seeds = self._seeds
        return [
            Wanted(
                self.retain.resampled(seed) if bootstrapped else self.retain, seed, f"{RETRAINED} {k} of {len(seeds)}"
            )
            for k, seed in enumerate(seeds, start=1)
        ]

    def _jobs(self, wanted: Sequence[Wanted]) -> list[Job]:
        recipe = fingerprint(self.recipe) if wanted else ""  # once: it reads all the code that the recipe depends on
        return [
            Job(self.recipe, v, seed, reference_key(recipe, v.digest, v.indices, seed, self.device), what=what)
            for v, seed, what in wanted
        ]

    def stored(self, job: Job) -> Any:
        """Fetch a model from the cache; None where it is not there or not to be had."""
        return self.store.peek(job.key, builder(job.recipe)).model

    def _train(
        self, wanted: Sequence[Wanted], *, enough: Callable[[Trained, Trained], bool] | None = None
    ) -> list[Trained]:
        done = self._run(self._jobs(wanted), enough=enough)
        self._took += [trained.seconds for trained in done]
        self._just_took += [trained.worked for trained in done if trained.worked]
        return done

    def _run(self, jobs: list[Job], *, enough: Callable[[Trained, Trained], bool] | None = None) -> list[Trained]:
        method = any(isinstance(job.recipe, Unlearning) or job.then is not None for job in jobs)
        done = train_all(
            jobs, store=self.store, n_jobs=self.n_jobs, fresh=self.fresh, progress=self.progress,
            seconds=() if method else self._just_took, enough=enough,
        )  # fmt: skip
        made_by = getattr(jobs[0].recipe, "role", "the recipe") if jobs else ""
        for trained in done:
            self._check(trained.model, f"what {made_by} returned")
            if trained.made is not None:
                self._check(trained.made.model, "what the method returned")
            for made in trained.links:
                self.models.note_making(made.model, made.seconds, made.origin)
        for why, said in (("damaged cache", "were damaged"), ("not sealed", f"are not sealed with {CACHE_KEY}")):
            keys = [made.key[:12] for trained in done for made in trained.links if why in made.source]
            if keys:
                warnings.warn(f"cached models {', '.join(keys)} {said} and have been trained again", stacklevel=2)
        return done

    def _equal(self, one: Any, other: Any) -> bool:
        if self.kind == "text":  # equal weights answer alike
            first, second = (self.models.of(model).identity for model in (one, other))
            return not first.obstacle and first == second
        ours, theirs = (self.models.of(model).outputs(self.controls).logits for model in (one, other))
        return ours.shape == theirs.shape and bool((ours == theirs).all())


def _checked_references(references: Any, kind: str) -> int | list[Any]:
    """Check how many references to train, or those that were given; TypeError or ValueError."""
    if isinstance(references, (bool, float)) or references is None:
        raise TypeError(f"references must be a number or a list of models, not {references!r}.")
    if hasattr(references, "__index__") and not hasattr(references, "shape"):
        return whole_number(references, "references", 0, "models to train, or a list of models")
    if kind == "text":
        return checked_language_models(references, "references")
    return checked_models(references, "references", "a number or a list of models")


def _checked_pairs(shadow_models: Any) -> int:
    """Check how many shadow models to train: each has its counterpart, trained on the other half."""
    count = whole_number(shadow_models, "shadow_models", 0)
    if count % 2:
        raise ValueError(
            f"shadow_models is {count}: they are trained in pairs, each on the other's half; use {count + 1}."
        )
    return count
