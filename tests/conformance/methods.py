"""Methods that apply to some models or requests only, and recipes for other kinds of models than networks."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from torch import nn

from tests.conformance.broken import Careful, labels


class Unsupported(TypeError):  # noqa: N818
    """A third party's own: recognised by its name."""


class NeedsMore(Unsupported):
    """A subclass of it."""


@dataclass(frozen=True)
class Picky:
    """Careful, where `accepts(model, retain, forget)`."""

    accepts: Any
    inner: Any = field(default_factory=Careful)

    def __call__(self, model: Any, retain: Any, forget: Any, *, seed: int) -> Any:
        if len(forget) and len(retain) and not self.accepts(model, retain, forget):
            raise NeedsMore("it needs another problem.")
        return self.inner(model, retain, forget, seed=seed)


def never(model: Any, retain: Any, forget: Any) -> bool:
    return False


def convolutions_only(model: Any, retain: Any, forget: Any) -> bool:
    return any(isinstance(module, nn.Conv2d) for module in model.modules())


def continuous_only(model: Any, retain: Any, forget: Any) -> bool:
    return bool(torch.as_tensor(retain[0][0]).is_floating_point())


def whole_classes_only(model: Any, retain: Any, forget: Any) -> bool:
    return len(set(labels(forget))) == 1 and not set(labels(forget)) & set(labels(retain))


def two_classes_only(model: Any, retain: Any, forget: Any) -> bool:
    return set(labels(retain) + labels(forget)) <= {0, 1}


def arrays(dataset: Any) -> tuple[Any, Any]:
    x, y = zip(*(dataset[i] for i in range(len(dataset))), strict=True)
    return np.stack([np.asarray(row).ravel() for row in x]), np.asarray([int(label) for label in y])


def logistic(dataset: Any, *, seed: int) -> Any:
    return LogisticRegression(random_state=seed).fit(*arrays(dataset))


def bayes(dataset: Any, *, seed: int) -> Any:
    return GaussianNB().fit(*arrays(dataset))


@dataclass(frozen=True)
class Refit:
    """Retrains with a recipe."""

    recipe: Any

    def __call__(self, model: Any, retain: Any, forget: Any, *, seed: int) -> Any:
        if len(retain) == 0:
            raise ValueError("there is nothing to retain")
        return self.recipe(retain, seed=seed) if len(forget) else deepcopy(model)


@dataclass(frozen=True)
class RefitInPlace(Refit):
    """Fits the estimator that it was given."""

    def __call__(self, model: Any, retain: Any, forget: Any, *, seed: int) -> Any:
        return (
            model.fit(*arrays(retain))
            if len(forget) and len(retain)
            else super().__call__(model, retain, forget, seed=seed)
        )


@dataclass(frozen=True)
class RefitShallow(Refit):
    """Copies the shell of the estimator only."""

    def __call__(self, model: Any, retain: Any, forget: Any, *, seed: int) -> Any:
        result = super().__call__(model, retain, forget, seed=seed)
        result.classes_ = model.classes_
        return result


class Mean:
    """A classifier that is none of scikit-learn's: a callable that gives logits by the distance to class means."""

    def __init__(self, x: Any, y: Any) -> None:
        self.sums = {int(label): (x[y == label].sum(axis=0), int((y == label).sum())) for label in np.unique(y)}

    def __call__(self, x: Any) -> Any:
        columns = np.full((len(x), 3), -1e3)
        for label, (total, count) in self.sums.items():
            columns[:, label] = -((np.asarray(x) - total / count) ** 2).sum(axis=1)
        return columns


@dataclass(frozen=True)
class MeanMethod:
    """Trains by itself, and unlearns exactly: it subtracts what it has added."""

    trained: list[Any] = field(default_factory=list, compare=False)
    mistake: bool = False

    def train(self, dataset: Any, *, seed: int) -> Mean:
        self.trained.append(len(dataset))
        return Mean(*arrays(dataset))

    def __call__(self, model: Any, retain: Any, forget: Any, *, seed: int) -> Mean:
        if len(retain) == 0:
            raise Unsupported("it cannot forget everything.")
        result = deepcopy(model)
        for i in range(len(forget)):
            x, y = np.asarray(forget[i][0]), int(forget[i][1])
            total, count = result.sums[y]
            result.sums[y] = (total - x, count - 1)
        for label in [label for label, (_, count) in result.sums.items() if count == 0]:
            del result.sums[label]
        if self.mistake:
            model.sums.clear()
        return result
