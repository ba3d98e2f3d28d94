"""UnlearningTask: what was trained, what must go, and the models an audit compares with, each trained once.

A run of a method as a training: kept in the cache like one, and shown like one.
"""

from __future__ import annotations

import contextlib
import time
import warnings
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from pytest_unlearn.core.evidence import FloatArray, IntArray, Outputs
from pytest_unlearn.data.split import Split, reserve_controls
from pytest_unlearn.data.view import View
from pytest_unlearn.models.predict import Output, evaluate, model_digest
from pytest_unlearn.models.query import Query, ask
from pytest_unlearn.training import (
    Job,
    Progress,
    Store,
    Trained,
    UnknownRecipe,
    fingerprint,
    reference_key,
    report_progress,
    train_all,
)

__all__ = ["Split", "UnlearningTask", "View", "reserve_controls"]

FIRST_REFERENCE_SEED = 1000  # far from the small seeds that people give to the models they audit
_CHANGED = (
    "{} was changed in place since the task first saw it. An unlearner must leave its input untouched: let it work on "
    "copy.deepcopy(model)."
)


class UnlearningTask:
    """A deletion request, with the original model and the models retrained without the forget set.

    Args:
        split: what was trained on and what must go.
        recipe: `recipe(dataset, *, seed) -> model`, how models are trained; not needed if all models are given.
        original: the model that was trained on all of train; trained by the recipe if not given.
        references: how many reference models to train on retain, or a list of models so trained.
        seed: of the original; reference k has seed + 1000 + k.
        cache_dir: where trained models are kept; `.unlearn/cache` by default. Nothing is created before it is needed.
        device: where recipes that ask for it, and audits of torch models, run. The model's own device by default.
        n_jobs: how many references to train at once.
        fresh: train again, whatever the cache holds.
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
    ) -> None:
        if not isinstance(split, Split):
            raise TypeError(f"UnlearningTask needs a Split(train, forget=..., test=...), not {type(split).__name__}.")
        if hasattr(references, "parameters") or not (isinstance(references, int) or hasattr(references, "__iter__")):
            raise TypeError("references must be a number or a list of models; for one model write references=[model].")
        if isinstance(references, int) and references < 0:
            raise ValueError(f"references must be a number of models to train or a list of models, not {references}.")
        self.split, self.recipe, self.seed, self.device, self.n_jobs = split, recipe, seed, device, n_jobs
        self.references, self.fresh = references, fresh
        self.progress: Progress = report_progress
        self.store = Store(Path(cache_dir) if cache_dir is not None else Path(".unlearn") / "cache")
        self._given_original = original
        self._outputs: dict[tuple[int, str, str], Outputs] = {}
        self._asked: dict[tuple[int, str, str, Query], FloatArray] = {}
        self._digests: dict[int, str] = {}
        self._seconds: dict[int, tuple[Any, float]] = {}
        self._remembered: list[Any] = []
        self.forget = View("forget", split.train, split.forget_indices, self)
        self.retain = View("retain", split.train, split.retain_indices, self)
        self.test = View("test", split.test, np.arange(len(split.test), dtype=np.int64), self)
        self.controls = View("controls", split.held_out, split.control_indices, self)
        for model in (original, *(references if not isinstance(references, int) else ())):
            self.digest_of(model)

    def __repr__(self) -> str:
        return f"<UnlearningTask: forget {len(self.forget)} of {len(self.split.train)}, {len(self.controls)} controls>"

    @property
    def has_original(self) -> bool:
        """Whether there is an original model, given or trainable."""
        return self._given_original is not None or self.recipe is not None

    @cached_property
    def original(self) -> Any:
        """The model that saw everything: the one given, or trained by the recipe on all of train."""
        if self._given_original is not None:
            return self._given_original
        if self.recipe is None:
            raise ValueError("this task has no original model: pass original=, or recipe= to train one.")
        return self._train([(self._everything, self.seed)])[0].model

    @property
    def retrained(self) -> list[Any]:
        """The reference models, trained on retain under distinct seeds (or on bootstraps of it: see `bootstrapped`)."""
        if not isinstance(self.references, int):
            return list(self.references)
        return [trained.model for trained in self.trained_references]

    @cached_property
    def trained_references(self) -> list[Trained]:
        """The references this task trained itself, with their keys, seeds and times."""
        if not isinstance(self.references, int) or self.recipe is None or self.references == 0:
            return []
        seeds = self._seeds
        first = self._train([(self.retain, seed) for seed in seeds[:2]])
        if len(first) == 2 and self._equal(first[0].model, first[1].model):
            return self._train([(self.retain.resampled(seed), seed) for seed in seeds])
        return first + self._train([(self.retain, seed) for seed in seeds[2:]])

    @cached_property
    def bootstrapped(self) -> bool:
        """Whether two seeds gave equal models, so that references were trained on seeded bootstraps of retain."""
        records = self.trained_references
        return len(records) > 1 and records[0].key != self._key(self.retain, records[0].seed)

    def jobs(self, *, bootstrapped: bool = False) -> list[Job]:
        """The trainings behind `original` (the first, unless it was given) and `retrained`; asking trains nothing.

        Args:
            bootstrapped: what follows if two seeds give equal models, instead of what is tried first.
        """
        if self.recipe is None:
            return []
        wanted = [] if self._given_original is not None else [(self._everything, self.seed)]
        wanted += [(self.retain.resampled(seed) if bootstrapped else self.retain, seed) for seed in self._seeds]
        return self._jobs(wanted)

    def unlearn(self, unlearner: Any, *, seed: int | None = None) -> Any:
        """The model an unlearner makes of the original; kept in the cache, like a reference.

        Args:
            unlearner: `unlearner(model, retain, forget, *, seed) -> model`.
            seed: of the unlearner; the task's by default.
        """
        seed = self.seed if seed is None else seed
        return self.unlearn_from(self.original, unlearner, self.retain, self.forget, seed=seed)

    def unlearn_from(self, model: Any, unlearner: Any, retain: View, forget: View, *, seed: int) -> Any:
        """The model an unlearner makes of any model and request; kept in the cache if all that it depends on is known.

        Raises:
            ValueError: when the unlearner changed the model that it was given.
        """
        digest = self.digest_of(model) if model is self.original else model_digest(model)
        try:
            recipe = f"{fingerprint(unlearner)} of {digest}" if digest else ""
        except UnknownRecipe:
            recipe = ""
        if not recipe:  # nothing says when to run it again, so it runs each time
            started = time.perf_counter()
            unlearned = unlearner(model, retain, forget, seed=seed)
            self._note_seconds(unlearned, time.perf_counter() - started)
        else:
            key = reference_key(recipe, f"{retain.digest}{forget.digest}", forget.indices, seed, self.device)
            unlearned = self._run([Job(Unlearning(unlearner, model, forget), retain, seed, key)])[0].model
        if model_digest(model) != digest:
            raise ValueError(_CHANGED.format("the model that the unlearner was given"))
        return unlearned

    def train_on(self, parts: Sequence[IntArray | View], *, first_seed: int) -> list[Any]:
        """Models trained by the recipe on parts of train (positions in it), or on views, seeds from `first_seed` on."""
        if self.recipe is None:
            raise ValueError("this task has no recipe to train models with: pass recipe=.")
        views = [
            part if isinstance(part, View) else View("part of train", self.split.train, np.asarray(part), self)
            for part in parts
        ]
        return [trained.model for trained in self._train([(v, first_seed + k) for k, v in enumerate(views)])]

    def seconds_of(self, model: Any) -> float | None:
        """How long a model took to make, in this run or the one that stored it; None if this task did not make it."""
        made, seconds = self._seconds.get(id(model), (None, None))
        return seconds if made is not None and made() is model else None

    @property
    def recipe_fingerprint(self) -> str | None:
        """What identifies the recipe; None without one, or when nothing says what it depends on."""
        try:
            return fingerprint(self.recipe) if self.recipe is not None else None
        except UnknownRecipe:
            return None

    def digest_of(self, model: Any) -> str:
        """The digest of the original or a reference.

        Raises:
            ValueError: when the model was changed in place since this task first saw it.
        """
        digest = model_digest(model)
        if self._digests.setdefault(id(model), digest) != digest:
            raise ValueError(_CHANGED.format("the original or a reference"))
        return digest

    @contextlib.contextmanager
    def remembering(self, model: Any) -> Iterator[None]:
        """For the duration of the block, what the audited model answers is computed once, like a reference's."""
        own = id(model) in self._digests  # the original or a reference, whose answers stay
        self._remembered.append(model)
        try:
            yield
        finally:
            self._remembered.pop()
            if not own:
                self._outputs = {key: found for key, found in self._outputs.items() if key[0] != id(model)}
                self._asked = {key: found for key, found in self._asked.items() if key[0] != id(model)}
                self._digests.pop(id(model), None)

    def remembers(self, model: Any) -> bool:
        """Whether answers of this audited model may be shared between audits."""
        return any(model is known for known in self._remembered)

    def audited(self, model: Any, view: View, output: Output = None) -> Outputs:
        """What the audited model answers on a view of this task: afresh, unless several audits share it."""
        if self.remembers(model):
            return self.outputs(model, view, output)
        return evaluate(model, view, classes=self.split.classes, output=output, device=self.device)

    def outputs(self, model: Any, view: View, output: Output = None) -> Outputs:
        """Outputs of this task's own original or reference on a view of it, computed once."""
        key = (id(model), view.name, f"{self.digest_of(model)}{output}")
        if key not in self._outputs:
            self._outputs[key] = evaluate(model, view, classes=self.split.classes, output=output, device=self.device)
        return self._outputs[key]

    def asked(self, query: Query, model: Any, view: View, output: Output = None) -> FloatArray:
        """What a query finds of this task's own original or reference on a view of it, asked once."""
        key = (id(model), view.name, f"{self.digest_of(model)}{output}", query)
        if key not in self._asked:
            self._asked[key] = ask(query, model, view, classes=self.split.classes, output=output, device=self.device)
        return self._asked[key]

    def _key(self, dataset: View, seed: int) -> str:
        return reference_key(fingerprint(self.recipe), dataset.digest, dataset.indices, seed, self.device)

    @property
    def _everything(self) -> View:
        return View("train", self.split.train, np.arange(len(self.split.train), dtype=np.int64), self)

    @property
    def _seeds(self) -> list[int]:
        count = self.references if isinstance(self.references, int) else 0
        return [self.seed + FIRST_REFERENCE_SEED + k for k in range(count)]

    def _jobs(self, wanted: list[tuple[View, int]]) -> list[Job]:
        recipe = fingerprint(self.recipe) if wanted else ""  # once: it reads all the code that the recipe depends on
        return [
            Job(self.recipe, v, seed, reference_key(recipe, v.digest, v.indices, seed, self.device))
            for v, seed in wanted
        ]

    def _train(self, wanted: list[tuple[View, int]]) -> list[Trained]:
        return self._run(self._jobs(wanted))

    def _run(self, jobs: list[Job]) -> list[Trained]:
        done = train_all(jobs, store=self.store, n_jobs=self.n_jobs, fresh=self.fresh, progress=self.progress)
        damaged = [trained.key[:12] for trained in done if "damaged" in trained.source]
        for trained in done:
            self._note_seconds(trained.model, trained.seconds)
        if damaged:
            warnings.warn(f"cached models {', '.join(damaged)} were damaged and have been trained again", stacklevel=2)
        return done

    def _note_seconds(self, model: Any, seconds: float) -> None:
        with contextlib.suppress(TypeError):  # plain containers take no weak reference, and nothing is said of them
            self._seconds[id(model)] = weakref.ref(model), round(seconds, 3)

    def _equal(self, one: Any, other: Any) -> bool:
        ours, theirs = (self.outputs(model, self.controls).logits for model in (one, other))
        return ours.shape == theirs.shape and bool((ours == theirs).all())


@dataclass(frozen=True)
class Unlearning:
    """An unlearner at work on one original and one request, in the shape of a recipe."""

    unlearner: Any
    original: Any
    forget: View
    role: ClassVar = ("the method", "running the method")

    def __call__(self, dataset: Any, *, seed: int) -> Any:
        """Run it; `dataset` is the retain set."""
        return self.unlearner(self.original, dataset, self.forget, seed=seed)
