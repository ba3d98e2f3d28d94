"""Runs a method on small problems and writes down what a run did; what several checks look at is run once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, NoReturn

import numpy as np
import torch

from pytest_unlearn.conformance import global_state as surroundings
from pytest_unlearn.conformance import networks
from pytest_unlearn.conformance.case import Case, ConformanceError, Unsupported, is_unsupported
from pytest_unlearn.conformance.networks import Array
from pytest_unlearn.conformance.scenario import CONTAINERS, EXAMPLES, PREPARATIONS, Trial, some
from pytest_unlearn.conformance.state_diff import contents, differing
from pytest_unlearn.core.evidence import FloatArray
from pytest_unlearn.data.dataset import Examples
from pytest_unlearn.data.view import View
from pytest_unlearn.models.predict import evaluate
from pytest_unlearn.training.arrays import stack

KEPT = 4  # observations kept for a method, each with three models; nearly every check looks at the one at home
LISTED = 3  # names in a message


@dataclass(frozen=True)
class Observation:
    """What one run did.

    Attributes:
        given: the model that went in, as it was.
        model: the same object after the run.
        result: what came out.
        disturbed: the global states that the method changed.
        written: which of the two datasets the method changed.
    """

    given: Any
    model: Any
    result: Any
    disturbed: tuple[str, ...]
    written: tuple[str, ...]


class Bench:
    """One method, and what has been seen of it so far."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.original = lru_cache(KEPT)(self._original)
        self.observe = lru_cache(KEPT)(self.run)
        self.view = lru_cache(KEPT)(self._view)

    def fail(self, sentence: str) -> NoReturn:
        """A promise is broken."""
        __tracebackhide__ = True
        raise ConformanceError(f"{self.case.label} {sentence}")

    @contextmanager
    def advising(self, advice: str) -> Iterator[None]:
        """What to do about a promise that is broken in the block."""
        try:
            yield
        except ConformanceError as error:
            raise ConformanceError(f"{error} {advice}") from error.__cause__

    def require(self, kept: bool, sentence: str) -> None:
        """A promise, and what to say where it is broken."""
        __tracebackhide__ = True
        if not kept:
            self.fail(sentence)

    @staticmethod
    def listed(names: list[str]) -> str:
        """The first few names."""
        return ", ".join(names[:LISTED]) + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")

    @property
    def home(self) -> Trial:
        """The plainest problem that the method works on, where it is held to the rules of every method."""
        trial, refusals = self._search
        if trial is None:
            raise Unsupported("every problem was refused. " + " ".join(refusals))
        return trial

    @cached_property
    def _search(self) -> tuple[Trial | None, list[str]]:
        refusals: list[str] = []
        for trial in self._plain_problems():
            try:
                self.observe(trial)
            except ConformanceError:  # it crashes, which is not a refusal
                return trial, refusals
            except Exception as error:
                if not is_unsupported(error):
                    raise
                refusals.append(f"{trial}: {error}")
            else:
                return trial, refusals
        return None, refusals

    def _plain_problems(self) -> list[Trial]:
        ours = self.case.training is None
        names = list(networks.NETWORKS) if ours else [""]
        trials = [self.problem(name, whole_class=whole) for whole in (False, True) for name in names]
        return trials if ours else [*trials, self._binary_problem()]

    def problem(self, network: str, *, whole_class: bool) -> Trial:
        """A request for a fifth of the examples, drawn at random, or for a whole class."""
        n = min(EXAMPLES, len(self._examples(network)[1]))
        trial = Trial(network, tuple(range(n)), tuple(some(n)))
        return trial.asking(self.of_one_class(trial)) if whole_class else trial

    def _binary_problem(self) -> Trial:
        labels = self._examples("")[1][:EXAMPLES]
        rows = np.flatnonzero(np.isin(labels, np.unique(labels)[:2]))
        return Trial("", tuple(rows.tolist()), tuple(some(len(rows))))

    def larger_problem(self, *, retain: int, forget: int) -> Trial:
        """The problem at home with as many examples; they repeat where there are not enough."""
        labels = self._examples(self.home.network)[1]
        rows = np.flatnonzero(np.isin(labels, self.data(self.home)[1]))
        first = labels[rows] == labels[self.home.rows[0]]
        gone = first if self.forgets_classes else np.arange(len(rows)) < min(forget, len(rows) // 3)
        chosen = np.concatenate([np.resize(rows[gone], forget), np.resize(rows[~gone], retain)])
        return replace(self.home, rows=tuple(chosen.tolist()), forget=tuple(range(forget)))

    @property
    def forgets_classes(self) -> bool:
        """Whether the method refuses every request but one for a whole class."""
        return len(self.home.forget) == len(self.of_one_class(self.home))

    def of_one_class(self, trial: Trial) -> Array:
        """The positions of every example of one class."""
        labels = self.data(trial)[1]
        return np.flatnonzero(labels == labels[0])

    def data(self, trial: Trial) -> tuple[Array, Array]:
        """The training set of a trial, as arrays."""
        x, y = self._examples(trial.network)
        rows = np.asarray(trial.rows) % len(y)  # a small dataset of the user's repeats itself
        double = trial.prepared == "in double precision" and x.dtype.kind == "f"
        return (x[rows].astype(np.float64) if double else x[rows]), y[rows]

    def _examples(self, network: str) -> tuple[Array, Array]:
        if network or self._own is None:
            return networks.examples(network or next(iter(networks.NETWORKS)))
        return self._own

    @cached_property
    def _own(self) -> tuple[Array, Array] | None:
        return None if self.case.dataset is None else stack(self.case.dataset)

    def _original(self, trial: Trial) -> Any:
        """The model as trained on all of a trial's examples; shared, so copy it before use."""
        if self.case.training is None:
            return networks.trained(trial.network, trial.rows, trial.training_seed)
        dataset = CONTAINERS["tensor datasets"](*self.data(trial))
        try:
            with surroundings.restored(), torch.enable_grad():
                return self.case.training(dataset, seed=trial.training_seed)
        except Exception as error:
            if is_unsupported(error):
                raise
            raise ConformanceError(
                f"{self.case.label} could not be tried: its recipe crashed with {type(error).__name__}: {error} The "
                f"recipe is given {len(trial.rows)} examples (x, y), the first x an {_described(dataset[0][0])}; for "
                "others, pass Case(unlearner, recipe, dataset)."
            ) from error

    def trained(self, trial: Trial) -> Any:
        """A fresh copy of the model that a trial starts from, prepared."""
        # A recipe sees what a model is trained on; the rest of a trial is no reason to train again.
        plain = Trial(trial.network, trial.rows, (), training_seed=trial.training_seed)
        double = trial.prepared == "in double precision"
        model = deepcopy(self.original(replace(plain, prepared=trial.prepared if double else plain.prepared)))
        if not (double and self.case.recipe is None and self.case.training is not None):
            PREPARATIONS[trial.prepared](model)  # what `train` remembers of double-precision rows would no longer fit
        return model

    def datasets(self, trial: Trial) -> list[Any]:
        """The retain set and the forget set, in memory of their own."""
        x, y = self.data(trial)
        parts = ([*trial.retain(y)], [*trial.forget])
        return [CONTAINERS[trial.container](x[part], y[part]) for part in parts]

    def call(self, trial: Trial, *arguments: Any, unlearner: Any = None) -> tuple[Any, tuple[str, ...]]:
        """Run the method on (model, retain, forget), and say which global states it changed; errors go through."""
        method = self.case.unlearner if unlearner is None else unlearner
        with surroundings.restored():
            torch.set_num_threads(1)  # small problems are slower on several
            torch.set_grad_enabled(trial.gradients)
            surroundings.seed(trial.ambient)
            before = surroundings.read()
            result = method(*arguments, seed=trial.seed)
            return result, tuple(differing(before, surroundings.read()))

    def run(self, trial: Trial, *, unlearner: Any = None) -> Observation:
        """Run the method, or another one in its place, and write down what it did."""
        # Prepared twice: a deep copy of a module leaves its gradients behind.
        given, model, sets = self.trained(trial), self.trained(trial), self.datasets(trial)
        before = [contents(part) for part in sets]
        try:
            result, disturbed = self.call(trial, model, *sets, unlearner=unlearner)
        except Exception as error:
            if is_unsupported(error):
                raise
            raise ConformanceError(
                f"{self.case.label} crashed with {type(error).__name__} ({error}) on {trial}. Where it cannot work by "
                "its nature, let it raise Unsupported and say why."
            ) from error
        self.require(result is not None, "returned None: return the unlearned model.")
        changed = [differing(old, contents(part)) for old, part in zip(before, sets, strict=True)]
        written = tuple(name for name, paths in zip(("retain", "forget"), changed, strict=True) if paths)
        return Observation(given, model, result, disturbed, written)

    def require_usable(self, trial: Trial) -> None:
        """The method runs, and its result computes outputs of the input's shape."""
        seen = self.observe(trial)
        shapes = [self.outputs(model, trial).shape for model in (seen.given, seen.result)]
        self.require(
            shapes[0] == shapes[1], f"changed the shape of the outputs ({trial}) from {shapes[0]} to {shapes[1]}."
        )

    def outputs(self, model: Any, trial: Trial) -> FloatArray:
        """The model's probabilities for a trial's examples, shape (examples, classes)."""
        view = self.view(Trial(trial.network, trial.rows, ()))
        try:
            with surroundings.restored():
                logits = evaluate(model, view, classes=np.unique(self._examples(trial.network)[1])).logits
        except Exception as error:
            raise ConformanceError(
                f"{self.case.label} returned a model whose outputs cannot be computed ({trial}): {error}"
            ) from error
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))

    def _view(self, trial: Trial) -> View:
        x, y = self.data(trial)
        return View("conformance", Examples((x, y), "the conformance examples"), np.arange(len(y)))

    def distance(self, a: Any, b: Any, trial: Trial) -> float:
        """How much probability moves between two models' outputs: total variation, the mean over the examples."""
        return float(np.abs(self.outputs(a, trial) - self.outputs(b, trial)).sum(axis=1).mean() / 2)


def _described(x: Any) -> str:
    return f"{x.dtype} tensor of shape {tuple(x.shape)}"
