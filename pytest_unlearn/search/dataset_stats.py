"""Statistics of training examples, computed when first asked for."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pytest_unlearn.attacks.signals import hinge_margin, logit_scaled_confidence
from pytest_unlearn.core.evidence import FloatArray, IntArray, Outputs
from pytest_unlearn.data.tables import comparable
from pytest_unlearn.search.fold_models import FoldModels, train_fold_models
from pytest_unlearn.search.request import Space
from pytest_unlearn.task import UnlearningTask, View

NEIGHBOURS = 10


class DatasetStats:
    """The training examples, and the original's and fold models' outputs on them.

    Args:
        task: the task whose training set requests are made from.
    """

    def __init__(self, task: UnlearningTask) -> None:
        self.task = task
        self.labels: IntArray = task.split.train.labels
        self.classes: IntArray = np.unique(self.labels)
        self.groups: IntArray | None = task.split.groups
        self.count = len(self.labels)
        self.train = View("train", task.split.train, np.arange(self.count, dtype=np.int64))
        unseen = task.split.held_out
        self.held_out = View("controls", unseen, unseen.without_repeats(np.arange(len(unseen), dtype=np.int64)))
        owned = task.split.control_groups
        self.held_out_groups: IntArray | None = None if owned is None else owned[self.held_out.indices]

    @cached_property
    def fold_models(self) -> FoldModels:
        """Models that each left out a fifth of train, and what they answer."""
        return train_fold_models(self.task, self.train, self.held_out)

    @cached_property
    def inputs(self) -> FloatArray:
        """Every input as a row."""
        return comparable(self.train.arrays()[0])

    @cached_property
    def original(self) -> Outputs:
        """The original model's answers on train."""
        return self.task.models.of(self.task.original).outputs(self.train)

    @property
    def features(self) -> FloatArray:
        """The original model's logits, centred for each example."""
        logits = self.original.logits
        return np.asarray(logits - logits.mean(axis=1, keepdims=True))

    @cached_property
    def loss(self) -> FloatArray:
        """The original's cross-entropy on each example."""
        return np.asarray(np.logaddexp(0.0, -logit_scaled_confidence(self.original)))

    @cached_property
    def margin(self) -> FloatArray:
        """Margin of the label's logit over the next best in the original."""
        return hinge_margin(self.original)

    @cached_property
    def memorisation(self) -> FloatArray:
        """Dependence of an example's label on having been trained on it."""
        return self.fold_models.memorisation(self.original.labels)

    @cached_property
    def remoteness(self) -> FloatArray:
        """Distance to the tenth nearest neighbour."""
        return self._neighbours[0][:, -1]

    @cached_property
    def label_disagreement(self) -> FloatArray:
        """The share of an example's nearest neighbours that are labelled otherwise."""
        return np.asarray((self.labels[self._neighbours[1]] != self.labels[:, None]).mean(axis=1), dtype=np.float64)

    @cached_property
    def distance_to_centre(self) -> FloatArray:
        """Distance to the mean of all in feature space; small where entangled.

        Source: the embedding that Zhao et al. 2024 (RUM) score the entanglement of forget and retain set in.
        """
        centred = self.features - self.features.mean(axis=0)
        return np.asarray(np.linalg.norm(centred, axis=1), dtype=np.float64)

    def nearest(self, centre: int, space: Space) -> IntArray:
        """Return all examples, by their distance to one of them, which comes first."""
        rows = self.inputs if space == "input" else self.features
        distance = np.linalg.norm(rows - rows[centre], axis=1)
        distance[centre] = -1.0
        return np.argsort(distance, kind="stable").astype(np.int64)

    @cached_property
    def _neighbours(self) -> tuple[FloatArray, NDArray[np.int64]]:
        from sklearn.neighbors import NearestNeighbors

        index = NearestNeighbors(n_neighbors=min(NEIGHBOURS, self.count - 1)).fit(self.inputs)
        distance, which = index.kneighbors()  # an example is not its own neighbour
        return distance, which
