"""Comparison of equivalent runs of a method, beside retrained models' spread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import combinations
from typing import Any

import numpy as np
from scipy.special import softmax

from pytest_unlearn.core.evidence import FloatArray, IntArray, Outputs
from pytest_unlearn.models.predict import evaluate
from pytest_unlearn.search.families import resolve
from pytest_unlearn.search.request import ForgetRequest
from pytest_unlearn.search.screening import RequestRunner
from pytest_unlearn.task import View

FIRST_SEED = 30_000  # far from the seeds of references, of fold models, of searches and of confirmations
REFERENCES = 3
MARGIN = 1.25  # times what lies between retrained models may lie between two runs that should come to the same
SAME = 1e-4  # probability that may move between two evaluations of one model
TOLERANCE = 0.01  # probability that sums in another order may move, where training is not random
DEVIATES = 3.0  # standard errors beyond which a mean over examples is no accident


@dataclass(frozen=True)
class Gap:
    """Probability moved between two models, the limit, and whether surely over it."""

    where: str
    moved: float
    allowed: float
    certain: bool

    def __str__(self) -> str:
        return f"{self.moved:.1%} of the probability on {self.where} moves, at most {self.allowed:.1%} may"


class LawContext:
    """A method at one request, with its steps, models and retrained models.

    Args:
        runner: the task and the method.
        request: what is to be forgotten; the parts of a sequence are its steps.
        seed: of every run of the method.
        reference_offset: which retrained models to compare with.
    """

    def __init__(self, runner: RequestRunner, request: ForgetRequest, seed: int, reference_offset: int = 0) -> None:
        self.runner, self.seed, self.reference_offset, self.task = runner, seed, reference_offset, runner.task
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
        """Run the method on a model to forget `forget`, with `gone` out already."""
        left = np.setdiff1d(np.arange(self.runner.stats.count), np.r_[forget, np.asarray(gone, dtype=np.int64)])
        retain, asked = (self.view(name, rows) for name, rows in (("retain", left), ("forget", forget)))
        method = self.runner.unlearner if method is None else method
        return self.task.unlearn_from(model, method, retain, asked, seed=self.seed if seed is None else seed)

    def view(self, name: str, rows: IntArray) -> View:
        """Take some training examples."""
        return View(name, self.task.split.train, np.asarray(rows, dtype=np.int64), self.task)

    @cached_property
    def retrained(self) -> list[Any]:
        """Models trained without the request, which differ by their seeds only."""
        return self.retrained_without(self.both)

    def retrained_without(self, forget: IntArray) -> list[Any]:
        """Train models without `forget`, under different seeds."""
        retain = np.setdiff1d(np.arange(self.runner.stats.count), forget)
        return self.task.train_on([retain] * REFERENCES, first_seed=self.seed + FIRST_SEED + self.reference_offset)

    def probabilities(self, model: Any, view: View, batch_size: int = 256) -> FloatArray:
        """Ask for each class's probability for each example, shape (examples, classes)."""
        return np.asarray(softmax(self._ask(model, view, batch_size).logits, axis=1))

    def label_probabilities(self, model: Any, view: View) -> FloatArray:
        """Ask for the probability of each example's own label, shape (examples,)."""
        answers = self._ask(model, view)
        return np.asarray(softmax(answers.logits, axis=1)[np.arange(len(view)), answers.labels])

    def _ask(self, model: Any, view: View, batch_size: int = 256) -> Outputs:
        task = self.task
        return evaluate(model, view, classes=task.split.classes, device=task.device, batch_size=batch_size)

    def views(self) -> list[View]:
        """List where models are compared: never trained on, and asked for."""
        asked = [self.view("forget", self.both)] if len(self.both) else []
        return [self.runner.stats.held_out, *asked]

    def gaps(self, one: Any, other: Any, retrained: list[Any] | None = None) -> list[Gap]:
        """Measure how far two models are apart that should differ by their seeds only."""
        retrained = retrained or self.retrained
        gaps = []
        for view in self.views():
            moved = _moved(*(self.probabilities(model, view) for model in (one, other)))
            gaps.append(gap(_NAMES[view.name], moved, usual(retrained, partial(self.probabilities, view=view))))
            if view.name == "forget":
                moved = self.label_probabilities(one, view) - self.label_probabilities(other, view)
                gaps.append(shift(f"the labels of {_NAMES[view.name]}", moved, self.label_chance(view, retrained)))
        return gaps

    def label_chance(self, view: View, *retrained: list[Any]) -> float:
        """Measure how much surer of labels one retrained model is than another."""
        return max(
            abs(float(np.mean(self.label_probabilities(one, view) - self.label_probabilities(other, view))))
            for models in retrained
            for one, other in combinations(models, 2)
        )


_NAMES = {"controls": "examples never trained on", "forget": "the forget set"}


def usual(retrained: list[Any], ask: Callable[[Any], FloatArray]) -> FloatArray:
    """Measure how far models differ that differ only in seed."""
    answers = [ask(model) for model in retrained]
    return np.asarray(np.mean([_moved(one, other) for one, other in combinations(answers, 2)], axis=0))


def gap(where: str, moved: FloatArray, usual: FloatArray) -> Gap:
    """Compare the movement with retrained models', each shape (examples,)."""
    beyond = moved - MARGIN * usual
    error = beyond.std(ddof=1) / np.sqrt(len(beyond)) if len(beyond) > 1 else np.inf
    return Gap(
        where,
        float(moved.mean()),
        float(MARGIN * usual.mean() + TOLERANCE),
        bool(beyond.mean() - DEVIATES * error > TOLERANCE),
    )


def any_gap(where: str, one: FloatArray, other: FloatArray) -> Gap:
    """Compare two answers that should be equal, shape (examples, classes)."""
    moved = _moved(one, other)
    return Gap(where, float(moved.mean()), SAME, bool(moved.max() > SAME))


def shift(where: str, moved: FloatArray, chance: float, *, gained: bool = False) -> Gap:
    """Compare how much surer of the labels a model is, shape (examples,).

    With `gained`, being less so is right. What moves up here and down there by another seed is not counted, so that a
    little forgotten too little shows.
    """
    error = moved.std(ddof=1) / np.sqrt(len(moved)) if len(moved) > 1 else np.inf
    mean = float(moved.mean()) if gained else abs(float(moved.mean()))
    allowed = MARGIN * chance + TOLERANCE
    return Gap(where, mean, allowed, bool(mean - DEVIATES * error > allowed))


def _moved(one: FloatArray, other: FloatArray) -> FloatArray:
    """Measure each example's total variation, or one class's difference."""
    return np.asarray(np.abs(one - other).sum(axis=1) / 2 if one.ndim == 2 else np.abs(one - other))
