"""Worlds of honest models: retrained without the forget set, whatever an audit makes of them.

Each is a kind of model, of data and of answers. A fifth of the labels is wrong, so that originals remember their own.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, make_blobs
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier
from torch import nn

from pytest_unlearn import EstimatorRecipe, Evidence, Split, TorchRecipe, UnlearningTask, audit_forgotten

NOISE = 0.2
AUDITED = 77  # the audited model's seed, which no reference has
LIMIT = 0.55
Arrays = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A kind of model, of data and of answers; `sizes` are those of train, forget and controls.

    `reveals` is what the audited model shows of itself, `service` whether original and references show no more.
    """

    name: str
    data: Callable[[np.random.Generator], Arrays]
    sizes: tuple[int, int, int]
    references: int
    recipe: Any
    reveals: Callable[[Any], Any] | None = None
    service: bool = False

    def task(self, draw: int, folder: str) -> UnlearningTask:
        """Draw data, a request and its models."""
        rng = np.random.default_rng(draw)
        x, y = self.data(rng)
        classes, (train, forget, controls) = int(y.max()) + 1, self.sizes
        order = rng.permutation(len(y))[: train + controls]
        x, y = x[order].astype(np.float32), y[order].copy()
        wrong = rng.random(len(y)) < NOISE
        y[wrong] = (y[wrong] + rng.integers(1, classes, wrong.sum())) % classes
        request = np.flatnonzero(np.isin(y[:forget], y[train:]))  # a class without controls cannot be asked about
        split = Split((x[:train], y[:train]), forget=request, test=(x[train:], y[train:]))
        return UnlearningTask(split, self.recipe, references=self.references, seed=draw, cache_dir=folder)

    def audit(self, draw: int, limit: float = LIMIT) -> Evidence:
        """Audit an honest model."""
        with tempfile.TemporaryDirectory() as folder:
            task = self.task(draw, folder)
            model = self.recipe(task.retain, seed=AUDITED)
            shown = self.reveals or (lambda model: model)
            if self.service:
                original, references = shown(task.original), [shown(one) for one in task.retrained]
                task = UnlearningTask(task.split, original=original, references=references)
            return audit_forgotten(shown(model), task.forget, max_mia_auc=limit)


def labels_only(model: Any) -> Callable[[Any], np.ndarray]:
    """Show the predicted label alone."""

    def ask(x: Any) -> np.ndarray:
        p = _probabilities(model, x)
        return np.eye(p.shape[1])[p.argmax(axis=1)]

    return ask


def rounded(model: Any) -> Callable[[Any], np.ndarray]:
    """Show probabilities to two digits."""

    def ask(x: Any) -> np.ndarray:
        return np.log(np.maximum(np.round(_probabilities(model, x), 2), 1e-12))

    return ask


def _probabilities(model: Any, x: Any) -> np.ndarray:
    return model.predict_proba(np.asarray(x).reshape(len(x), -1))


def digits(rng: np.random.Generator) -> Arrays:
    """Ten digits of 64 pixels."""
    data = load_digits()
    return data.data / 16, data.target


def cancer(rng: np.random.Generator) -> Arrays:
    """Two classes of 30 features."""
    data = load_breast_cancer()
    return (data.data - data.data.mean(axis=0)) / data.data.std(axis=0), data.target


def blobs(classes: int, count: int, spread: float = 2.0) -> Callable[[np.random.Generator], Arrays]:
    """Overlapping Gaussian classes of 16 features."""

    def draw(rng: np.random.Generator) -> Arrays:
        x, y = make_blobs(count, 16, centers=classes, cluster_std=spread, center_box=(-2, 2),
                          random_state=int(rng.integers(2**31)))  # fmt: skip
        return x, y

    return draw


def network(features: int, classes: int, epochs: int = 25) -> TorchRecipe:
    """One hidden layer."""

    def build() -> nn.Module:
        return nn.Sequential(nn.Linear(features, 64), nn.ReLU(), nn.Linear(64, classes))

    return TorchRecipe(build, epochs=epochs, learning_rate=5e-3)


FOREST = EstimatorRecipe(RandomForestClassifier(20, n_jobs=1))
WORLDS = (
    World(name="networks", data=digits, sizes=(600, 200, 900), references=4, recipe=network(64, 10)),
    World(name="networks, few", data=blobs(3, 800), sizes=(200, 40, 600), references=8, recipe=network(16, 3)),
    World(name="networks, many classes", data=blobs(100, 4000), sizes=(1200, 400, 2800), references=2,
          recipe=network(16, 100, epochs=15)),
    World(name="forests", data=digits, sizes=(600, 200, 900), references=4, recipe=FOREST),
    World(name="forests, many classes", data=blobs(100, 3000), sizes=(1000, 300, 2000), references=4, recipe=FOREST),
    World(name="trees", data=digits, sizes=(600, 300, 600), references=4,
          recipe=EstimatorRecipe(DecisionTreeClassifier())),
    World(name="trees, two references", data=blobs(20, 2500), sizes=(800, 200, 1500), references=2,
          recipe=EstimatorRecipe(DecisionTreeClassifier())),
    World(name="nearest neighbour", data=digits, sizes=(600, 200, 900), references=4,
          recipe=EstimatorRecipe(KNeighborsClassifier(1))),
    World(name="nearest neighbours", data=blobs(5, 1500), sizes=(400, 100, 1000), references=8,
          recipe=EstimatorRecipe(KNeighborsClassifier(5))),
    World(name="boosting", data=cancer, sizes=(250, 60, 300), references=8,
          recipe=EstimatorRecipe(GradientBoostingClassifier(n_estimators=30, subsample=0.5))),
    World(name="logistic regression", data=blobs(5, 1500), sizes=(400, 200, 1000), references=4,
          recipe=EstimatorRecipe(LogisticRegression())),
    World(name="labels only", data=digits, sizes=(800, 400, 900), references=4, recipe=FOREST, reveals=labels_only),
    World(name="labels only service", data=digits, sizes=(600, 200, 900), references=4, recipe=FOREST,
          reveals=labels_only, service=True),
    World(name="labels only service, two classes", data=cancer, sizes=(250, 100, 300), references=2, recipe=FOREST,
          reveals=labels_only, service=True),
    World(name="rounded probabilities", data=digits, sizes=(600, 200, 900), references=4, recipe=FOREST,
          reveals=rounded),
)  # fmt: skip
