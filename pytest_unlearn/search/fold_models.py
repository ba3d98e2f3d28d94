"""Fold models: each trained on all but a fifth of train, to save retraining.

They stand in for retrained references while requests are searched: the same few serve every request. They know less
than a retrained model does, so that what they find is confirmed with exact references before it counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from pytest_unlearn.core.evidence import FloatArray, IntArray
from pytest_unlearn.models.predict import evaluate
from pytest_unlearn.task import UnlearningTask, View

FIRST_FOLD_SEED = 5000  # far from the seeds of the original and of references
FOLDS = 5


@dataclass(frozen=True)
class FoldModels:
    """Logits of fold models, and the examples they saw, shape (models, examples)."""

    included: NDArray[np.bool_]
    train: FloatArray
    held_out: FloatArray

    def references(self, forget: IntArray) -> list[tuple[FloatArray, FloatArray]]:
        """Stand in for models retrained without `forget`, by their logits.

        On `forget` and on the held-out set. A stand-in answers for each example by a model that never saw it.
        """
        unseen = np.argsort(self.included[:, forget], axis=0, kind="stable")  # models without the example come first
        count = int((~self.included[:, forget]).sum(axis=0).min())
        return [(self.train[unseen[k], forget], self.held_out[k]) for k in range(count)]

    def memorisation(self, labels: IntArray) -> FloatArray:
        """Measure how much likelier those that saw an example find its label, in [-1, 1].

        Source: Feldman & Zhang 2020, "What neural networks memorize and why", estimated from subsampled models.
        """
        own = softmax(self.train, axis=2)[:, np.arange(len(labels)), labels]
        seen = np.where(self.included, own, 0).sum(axis=0) / self.included.sum(axis=0)
        unseen = np.where(self.included, 0, own).sum(axis=0) / (~self.included).sum(axis=0)
        return np.asarray(seen - unseen, dtype=np.float64)


def train_fold_models(task: UnlearningTask, train: View, held_out: View, repeats: int = 2) -> FoldModels:
    """Train five models a repeat through the cache, one without each example.

    Raises:
        ValueError: a task without a recipe.
    """
    included = folds(len(train), repeats, task.seed)
    models = task.train_on([np.flatnonzero(row) for row in included], first_seed=task.seed + FIRST_FOLD_SEED)
    return FoldModels(included, *(_answers(models, view, task) for view in (train, held_out)))


def folds(examples: int, repeats: int, seed: int) -> NDArray[np.bool_]:
    """Draw which examples each model trains on, shape (models, examples)."""
    included = np.ones((FOLDS * repeats, examples), dtype=bool)
    for repeat in range(repeats):
        order = np.random.default_rng([seed, repeat]).permutation(examples)
        for fold in range(FOLDS):
            included[FOLDS * repeat + fold, order[fold::FOLDS]] = False
    return included


def _answers(models: Sequence[Any], view: View, task: UnlearningTask) -> FloatArray:
    answers = [evaluate(model, view, classes=task.split.classes, device=task.device).logits for model in models]
    return np.stack(answers)
