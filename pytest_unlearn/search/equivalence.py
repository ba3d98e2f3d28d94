"""What laws are checked on: runs of a method that should come to the same, and how far retrained models differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import combinations
from typing import Any

import numpy as np

from pytest_unlearn.core.evidence import FloatArray, IntArray, Outputs
from pytest_unlearn.models.predict import evaluate
from pytest_unlearn.search.families import resolve
from pytest_unlearn.search.request import ForgetRequest
from pytest_unlearn.search.screening import RequestRunner
from pytest_unlearn.task import View

FIRST_SEED = 30_000  # far from the seeds of references, of the pool, of searches and of confirmations
REFERENCES = 3
MARGIN = 1.25  # times what lies between retrained models may lie between two runs that should come to the same
TOLERANCE = 0.01  # probability that sums in another order may move, where training is not random
DEVIATES = 3.0  # standard errors beyond which a mean over examples is no accident


@dataclass(frozen=True)
class Gap:
    """How far apart two models are: the probability moved, what may, and whether it is more than that for certain."""

    where: str
    moved: float
    allowed: float
    certain: bool

    def __str__(self) -> str:
        return f"{self.moved:.1%} of the probability on {self.where} moves, at most {self.allowed:.1%} may"


class LawContext:
    """A method at one request: its steps, models it leaves, and models retrained without the request.

    Args:
        runner: the task, the method and what is known of the examples.
        request: what is to be forgotten; the parts of a sequence are its steps.
        seed: of every run of the method.
        beside: which retrained models to compare with.
    """

    def __init__(self, runner: RequestRunner, request: ForgetRequest, seed: int, beside: int = 0) -> None:
        self.runner, self.seed, self.beside, self.task = runner, seed, beside, runner.task
        first, *others = resolve(request, runner.stats)
        # Nobody asks twice for the same example.
        self.first: IntArray = np.unique(first)
        self.second: IntArray = np.setdiff1d(np.concatenate(others), first) if others else first[:0]

    @property
    def both(self) -> IntArray:
        """Every example that is asked for."""
        return np.union1d(self.first, self.second)

    def run(
        self,
        model: Any,
        forget: IntArray,
        *,
        gone: Sequence[int] | IntArray = (),
        method: Any = None,
        seed: int | None = None,
    ) -> Any:
        """What the method leaves of a model when `forget` is asked for, `gone` having been asked for before."""
        left = np.setdiff1d(np.arange(self.runner.stats.count), np.r_[forget, np.asarray(gone, dtype=np.int64)])
        retain, asked = (self.view(name, rows) for name, rows in (("retain", left), ("forget", forget)))
        method = self.runner.unlearner if method is None else method
        return self.task.unlearn_from(model, method, retain, asked, seed=self.seed if seed is None else seed)

    def view(self, name: str, rows: IntArray) -> View:
        """Some training examples."""
        return View(name, self.task.split.train, np.asarray(rows, dtype=np.int64), self.task)

    @cached_property
    def retrained(self) -> list[Any]:
        """Models trained without the request, which differ by their seeds only."""
        return self.retrained_without(self.both)

    def retrained_without(self, forget: IntArray) -> list[Any]:
        """Models trained without `forget`, under different seeds."""
        retain = np.setdiff1d(np.arange(self.runner.stats.count), forget)
        return self.task.train_on([retain] * REFERENCES, first_seed=self.seed + FIRST_SEED + self.beside)

    def probabilities(self, model: Any, view: View, batch_size: int = 256) -> FloatArray:
        """Each class's probability for each example, shape (examples, classes)."""
        return _probabilities(self._ask(model, view, batch_size))

    def of_the_label(self, model: Any, view: View) -> FloatArray:
        """The probability of each example's own label, shape (examples,)."""
        answers = self._ask(model, view)
        return np.asarray(_probabilities(answers)[np.arange(len(view)), answers.labels])

    def _ask(self, model: Any, view: View, batch_size: int = 256) -> Outputs:
        task = self.task
        return evaluate(model, view, classes=task.split.classes, device=task.device, batch_size=batch_size)

    def places(self) -> list[View]:
        """Where models are compared: on what was never trained on, and on what is asked for."""
        places = [self.runner.stats.held_out]
        return [*places, self.view("forget", self.both)] if len(self.both) else places

    def gaps(self, one: Any, other: Any, retrained: list[Any] | None = None) -> list[Gap]:
        """How far two models are apart that should be the same but for their seeds, as retrained ones are."""
        retrained = retrained or self.retrained
        gaps = []
        for view in self.places():
            moved = _moved(*(self.probabilities(model, view) for model in (one, other)))
            gaps.append(gap(_NAMES[view.name], moved, usual(retrained, partial(self.probabilities, view=view))))
            if view.name == "forget":
                moved = self.of_the_label(one, view) - self.of_the_label(other, view)
                gaps.append(shift(f"the labels of {_NAMES[view.name]}", moved, self.chance(view, retrained)))
        return gaps

    def chance(self, view: View, *retrained: list[Any]) -> float:
        """How much surer of the labels one retrained model is than another of the same data, at most."""
        return max(
            abs(float(np.mean(self.of_the_label(one, view) - self.of_the_label(other, view))))
            for models in retrained
            for one, other in combinations(models, 2)
        )


_NAMES = {"controls": "examples never trained on", "forget": "the forget set"}


def usual(retrained: list[Any], ask: Callable[[Any], FloatArray]) -> FloatArray:
    """What lies between models that differ by their seed."""
    answers = [ask(model) for model in retrained]
    return np.asarray(np.mean([_moved(one, other) for one, other in combinations(answers, 2)], axis=0))


def gap(where: str, moved: FloatArray, usual: FloatArray) -> Gap:
    """Compare what moved with what usually lies between retrained models, example by example, shape (examples,)."""
    beyond = moved - MARGIN * usual
    error = beyond.std(ddof=1) / np.sqrt(len(beyond)) if len(beyond) > 1 else np.inf
    return Gap(
        where,
        float(moved.mean()),
        float(MARGIN * usual.mean() + TOLERANCE),
        bool(beyond.mean() - DEVIATES * error > TOLERANCE),
    )


def shift(where: str, moved: FloatArray, chance: float, *, gained: bool = False) -> Gap:
    """How much surer of the labels a model is on average, shape (examples,); with `gained`, being less so is right.

    What moves up here and down there by another seed is not counted, so that a little forgotten too little shows.
    """
    error = moved.std(ddof=1) / np.sqrt(len(moved)) if len(moved) > 1 else np.inf
    mean = float(moved.mean()) if gained else abs(float(moved.mean()))
    allowed = MARGIN * chance + TOLERANCE
    return Gap(where, mean, allowed, bool(mean - DEVIATES * error > allowed))


def _probabilities(answers: Outputs) -> FloatArray:
    powers = np.exp(answers.logits - answers.logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _moved(one: FloatArray, other: FloatArray) -> FloatArray:
    """Total variation between two models' answers for each example, or the difference of one class's probability."""
    return np.asarray(np.abs(one - other).sum(axis=1) / 2 if one.ndim == 2 else np.abs(one - other))
