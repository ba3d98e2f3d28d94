"""Models that are tables of logits, trained in no time: a training has its noise, and lifts what it was trained on."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from pytest_unlearn import Split, UnlearningTask

CLASSES = 4
RETAINED = 20


class Table:
    """A model that knows an example by its number, its input's first entry."""

    def __init__(self, logits):
        self.logits = logits

    def __call__(self, inputs):
        return self.logits[np.asarray(inputs)[:, 0].astype(int)]


def numbers(dataset):
    """The examples' numbers."""
    return np.array([int(dataset[i][0][0]) for i in range(len(dataset))])


@dataclass(frozen=True)
class TableRecipe:
    """Every example has a difficulty; a training adds noise of its seed, and `boost` to its data's labels.

    A `deterministic` one ignores its seed: the noise is then of what it is trained on.
    """

    size: int
    world: int = 0
    boost: float = 1.5
    classes: int = CLASSES
    deterministic: bool = False

    def __call__(self, dataset, *, seed):
        """The table of a model trained on `dataset`."""
        shape, labels = (self.size, self.classes), np.arange(self.size) % self.classes
        logits = np.random.default_rng([self.world, 77]).normal(0, 2, shape)
        known = numbers(dataset)
        noise = [6, zlib.crc32(known.tobytes())] if self.deterministic else [5, seed]
        logits += np.random.default_rng([self.world, *noise]).normal(size=shape)
        logits[np.arange(self.size), labels] += 2.0
        logits[known, labels[known]] += self.boost
        return Table(logits)


@dataclass(frozen=True)
class Retrained:
    """An exact method; `extra` examples are trained on besides, `push` is added on the request as `of` says."""

    recipe: TableRecipe
    extra: object = ()
    push: object = None

    def __call__(self, model, retain, forget, *, seed):
        """A new table."""
        fresh = self.recipe([*retain, *self.extra], seed=seed)
        if self.push is not None:
            request = numbers(forget)
            labels = request % self.recipe.classes
            fresh.logits[request, labels] += self.push(seed, labels)
        return fresh


def table_task(
    folder, forget=100, controls=300, world=0, references=4, classes=CLASSES, *, deterministic=False, **split
):
    """A task whose models are tables."""
    ids = np.arange(forget + RETAINED + controls)
    rows, labels = np.c_[ids, np.zeros(len(ids))].astype(float), ids % classes
    train, test = slice(0, forget + RETAINED), slice(forget + RETAINED, None)
    parts = Split((rows[train], labels[train]), forget=np.arange(forget), test=(rows[test], labels[test]), **split)
    recipe = TableRecipe(len(ids), world, classes=classes, deterministic=deterministic)
    return UnlearningTask(parts, recipe, references=references, cache_dir=folder)
