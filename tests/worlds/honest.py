"""Worlds of honest models: retrained without the forget set, whatever an audit makes of them.

Each is a kind of model, of data and of answers. A fifth of the labels is wrong, so that originals remember their own.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer, load_digits, make_blobs
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier
from torch import nn

from pytest_unlearn import EstimatorRecipe, Evidence, SavedOutputs, Split, TorchRecipe, UnlearningTask, audit_forgotten
from pytest_unlearn.claims.common.findings import AttackFinding, evaluate_attacks
from pytest_unlearn.claims.common.inputs import resolve_inputs
from pytest_unlearn.data.view import View

NOISE = 0.2
AUDITED = 100_000  # what the audited model's seed is beyond the draw's
LIMIT = 0.55
FLOOR = 1e-12  # of probabilities, as everywhere
Arrays = tuple[np.ndarray, np.ndarray]
Reveals = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, slots=True, kw_only=True)
class HonestWorld:
    """A kind of model, of data and of answers; `sizes` are those of train, forget and controls.

    `reveals` is what the audited model shows of its probabilities, `service` whether original and references show no
    more; `same_seed` gives it the original's seed; `clean` leaves what is retained without wrong labels. Of a
    `deterministic` recipe the task makes bootstrapped references by itself.
    """

    name: str
    data: Callable[[np.random.Generator], Arrays]
    sizes: tuple[int, int, int]
    references: int
    recipe: Any
    reveals: Reveals | None = None
    service: bool = False
    same_seed: bool = False
    clean: bool = False
    deterministic: bool = False

    def task(self, draw: int, folder: str) -> tuple[UnlearningTask, np.ndarray]:
        """Draw data and a request; return as well which of it has wrong labels."""
        rng = np.random.default_rng(draw)
        x, y = self.data(rng)
        classes, (train, forget, controls) = int(y.max()) + 1, self.sizes
        order = rng.permutation(len(y))[: train + controls]
        x, y = x[order].astype(np.float32), y[order].copy()
        wrong = rng.random(len(y)) < NOISE
        if self.clean:
            wrong[forget:train] = False
        y[wrong] = (y[wrong] + rng.integers(1, classes, wrong.sum())) % classes
        request = np.flatnonzero(np.isin(y[:forget], y[train:]))  # a class without controls cannot be asked about
        split = Split((x[:train], y[:train]), forget=request, test=(x[train:], y[train:]))
        task = UnlearningTask(split, self.recipe, references=self.references, seed=draw, cache_dir=folder)
        return task, wrong[request]

    def audit(self, draw: int, limit: float = LIMIT) -> tuple[Evidence, tuple[AttackFinding, ...]]:
        """Audit an honest model: the evidence, and what each attack makes of it (of wrong labels too)."""
        with tempfile.TemporaryDirectory() as folder:
            task, wrong = self.task(draw, folder)
            model = self.recipe(task.retain, seed=draw if self.same_seed else AUDITED + draw)
            if not self.deterministic:  # what models answer is saved: their digests would take most of the time
                train = View("train", task.split.train, np.arange(len(task.split.train)))
                others = [self.recipe(train, seed=draw)]
                others += [self.recipe(task.retain, seed=draw + 1000 + k) for k in range(self.references)]
                split, hides = task.split, self.reveals if self.service else None
                model = _saved(model, split, self.reveals)
                original, *references = (_saved(one, split, hides) for one in others)
                task = UnlearningTask(split, original=original, references=references)
            return audit_forgotten(model, task.forget, max_mia_auc=limit), _findings(model, task, wrong)


def _saved(model: Any, split: Split, reveals: Reveals | None) -> SavedOutputs:
    """Ask a model for its logits, or for what it reveals of its probabilities."""
    parts = {part.name: part.inputs(np.arange(len(part))) for part in (split.train, split.test)}
    if isinstance(model, nn.Module):
        with torch.no_grad():
            return SavedOutputs(**{name: model(torch.as_tensor(x)) for name, x in parts.items()})
    saved = {}
    for name, x in parts.items():
        p = np.zeros((len(x), int(split.classes.max()) + 1))
        p[:, model.classes_] = model.predict_proba(x)
        saved[name] = np.log(np.maximum(p if reveals is None else reveals(p), FLOOR))
    return SavedOutputs(**saved)


def _findings(model: Any, task: UnlearningTask, wrong: np.ndarray) -> tuple[AttackFinding, ...]:
    inputs = resolve_inputs(
        task.forget, nonmembers=None, baseline=None, references=None, match="inherit", output=None,
        require_controls=True,
    )  # fmt: skip
    original = inputs.answers(inputs.original)
    target, *references = (replace(inputs.answers(one), original=original) for one in (model, *inputs.references))
    slices = {"wrong labels": wrong} if wrong.any() else {}
    return evaluate_attacks(target, references, inputs.pairing, 0.95, slices=slices)


def labels_only(p: np.ndarray) -> np.ndarray:
    """Show the predicted label alone."""
    return np.eye(p.shape[1])[p.argmax(axis=1)]


def rounded(p: np.ndarray) -> np.ndarray:
    """Show probabilities to two digits."""
    return np.round(p, 2)


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


def network(features: int, classes: int, epochs: int = 15) -> TorchRecipe:
    """One hidden layer."""

    def build() -> nn.Module:
        return nn.Sequential(nn.Linear(features, 48), nn.ReLU(), nn.Linear(48, classes))

    return TorchRecipe(build, epochs=epochs, learning_rate=1e-2)


FOREST = EstimatorRecipe(RandomForestClassifier(10, n_jobs=1))
TREE = EstimatorRecipe(DecisionTreeClassifier())
WORLDS: tuple[HonestWorld, ...] = (
    HonestWorld(name="networks", data=digits, sizes=(500, 150, 600), references=4, recipe=network(64, 10, epochs=10)),
    HonestWorld(
        name="networks of the original's seed",
        data=blobs(10, 1100), sizes=(400, 150, 700), references=4, recipe=network(16, 10), same_seed=True,
    ),
    HonestWorld(
        name="networks, 40 forgotten",
        data=blobs(3, 800), sizes=(200, 40, 600), references=8, recipe=network(16, 3),
    ),
    HonestWorld(name="forests", data=digits, sizes=(500, 150, 600), references=4, recipe=FOREST),
    HonestWorld(name="trees", data=digits, sizes=(600, 300, 300), references=4, recipe=TREE, clean=True),
    HonestWorld(name="trees, 100 classes", data=blobs(100, 1800), sizes=(600, 200, 1200), references=2, recipe=TREE),
    HonestWorld(
        name="nearest neighbour",
        data=digits, sizes=(300, 100, 500), references=4, recipe=EstimatorRecipe(KNeighborsClassifier(1)),
        deterministic=True,
    ),
    HonestWorld(
        name="five nearest neighbours",
        data=blobs(5, 1200), sizes=(300, 100, 800), references=4, recipe=EstimatorRecipe(KNeighborsClassifier(5)),
        deterministic=True,
    ),
    HonestWorld(
        name="boosting",
        data=cancer, sizes=(250, 60, 300), references=8,
        recipe=EstimatorRecipe(GradientBoostingClassifier(n_estimators=12, subsample=0.5)),
    ),
    HonestWorld(
        name="logistic regression",
        data=blobs(5, 1700), sizes=(700, 400, 1000), references=4, recipe=EstimatorRecipe(LogisticRegression()),
        deterministic=True,
    ),
    HonestWorld(
        name="labels only",
        data=digits, sizes=(500, 250, 600), references=4, recipe=FOREST, reveals=labels_only,
    ),
    HonestWorld(
        name="labels only service",
        data=digits, sizes=(500, 200, 600), references=4, recipe=FOREST, reveals=labels_only, service=True,
    ),
    HonestWorld(
        name="labels only service, two classes",
        data=cancer, sizes=(250, 100, 300), references=2, recipe=FOREST, reveals=labels_only, service=True,
    ),
    HonestWorld(
        name="rounded probabilities",
        data=digits, sizes=(500, 150, 600), references=4, recipe=FOREST, reveals=rounded,
    ),
)  # fmt: skip
