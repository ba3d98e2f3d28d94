"""Samples of models that a method, retraining and training could give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from pytest_unlearn.attacks.signals import correctness, logit_scaled_confidence
from pytest_unlearn.claims.common.inputs import MOST_RETAINED
from pytest_unlearn.core.evidence import FloatArray
from pytest_unlearn.models.predict import Output, evaluate
from pytest_unlearn.task import UnlearningTask, View

Originals = Literal["fresh", "one"]
# Far from the seeds of the task's own models and of runs, and from each other: no two models may share their noise.
RETRAINED_SEEDS, ORIGINAL_SEEDS, METHOD_SEEDS = 40_000, 60_000, 80_000
MOST_RUNS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSample:
    """Many models of one kind, with logit-scaled confidences of true labels.

    `margins` (models, forget examples). Accuracies are means; `seconds` are of the median model, None if unknown.
    """

    margins: FloatArray
    retain_accuracy: float
    test_accuracy: float
    seconds: float | None

    @property
    def distinct(self) -> int:
        """The number of models that answer differently."""
        return len(np.unique(self.margins, axis=0))


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSamples:
    """Samples compared: unlearned, twice as many retrained, originals or None."""

    unlearned: ModelSample
    retrained: ModelSample
    originals: ModelSample | None


def sample_models(
    unlearner: Any, task: UnlearningTask, runs: int, originals: Originals, output: Output
) -> ModelSamples:
    """Train and unlearn under distinct seeds, through the task's cache.

    Raises:
        ValueError: a recipe that gives the same model for every seed, found before the rest is trained; an unlearner
            that changes its input; a model that cannot be asked.
    """
    seed = task.seed
    probe = task.train_on([task.retain] * 2, first_seed=seed + RETRAINED_SEEDS)
    if _ask(task, probe, output).distinct == 1:
        raise ValueError(
            "the recipe gives the same model for every seed: retraining then has one outcome and no law that unlearned "
            "models could be indistinguishable from. Compare with that one model (assert_matches_retrained, "
            "assert_forgotten), or let the recipe draw from its seed."
        )
    more = task.train_on([task.retain] * (2 * runs - 2), first_seed=seed + RETRAINED_SEEDS + 2)
    everything = np.arange(len(task.split.train))
    first = [task.original]
    if originals == "fresh":
        first = task.train_on([everything] * runs, first_seed=seed + ORIGINAL_SEEDS)
    unlearned = [
        task.unlearn_from(first[k % len(first)], unlearner, task.retain, task.forget, seed=seed + METHOD_SEEDS + k)
        for k in range(runs)
    ]
    return ModelSamples(
        unlearned=_ask(task, unlearned, output),
        retrained=_ask(task, [*probe, *more], output),
        originals=_ask(task, first, output) if originals == "fresh" else None,
    )


def _ask(task: UnlearningTask, models: Sequence[Any], output: Output) -> ModelSample:
    step = -(-len(task.retain) // MOST_RETAINED)
    retain = View("retain", task.retain.examples, task.retain.indices[::step], task)
    views = (task.forget, retain, task.test)
    rows, right = [], []
    for model in models:
        forget, *others = (
            evaluate(model, view, classes=task.split.classes, output=output, device=task.device) for view in views
        )
        rows.append(logit_scaled_confidence(forget))
        right.append([correctness(one).mean() for one in others])
    taken = [seconds for model in models if (seconds := task.models.seconds_of(model)) is not None]
    return ModelSample(
        margins=np.array(rows),
        retain_accuracy=float(np.mean(right, axis=0)[0]),
        test_accuracy=float(np.mean(right, axis=0)[1]),
        seconds=float(np.median(taken)) if taken else None,
    )
