"""Decoys and honest models under the standard policy: which claim gives which verdict, on digits and on images."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from torch import nn

from examples.fashion_mnist import fashion_mnist
from pytest_unlearn import Recipe, Split, TorchRecipe, UnlearningTask, audit_release
from tests.worlds.real import digits_example
from unlearners import SISA, UNLEARNERS

SETTINGS = {"max_mia_auc": 0.6, "max_gap": 0.1, "max_drop": 0.03}
DECOY_SEEDS = 5
DECOYS = (
    "no-op",
    "exact-input-mask",
    "nearest-neighbour-refusal",
    "logit-noise",
    "temperature-flattening",
    "label-flip",
    "controls-leaking-retrain",
)
CLASS_DECOYS = (*DECOYS, "last-layer-mask", "linear-filtration")
HONEST = ("retrain", "SISA")


@dataclass(frozen=True)
class World:
    """A request and how models are trained; `retrains` fresh ones are audited for each seed of it."""

    name: str
    split: Callable[[int], Split]
    recipe: TorchRecipe
    decoys: tuple[str, ...]
    seeds: int
    retrains: int


def digits_class(seed: int, label: int = 3) -> Split:
    """Forget a digit: half of it trained on, half of it controls."""
    data = load_digits()
    x, y = (data.data / 16).astype(np.float32), data.target
    order = np.random.default_rng(seed).permutation(len(y))
    train, test = order[:900], order[900:]
    return Split((x[train], y[train]), forget=np.flatnonzero(y[train] == label), test=(x[test], y[test]))


def images(seed: int, train: int = 1500, forget: int = 400, test: int = 3000) -> Split:
    """Forget random images."""
    x, y, x_test, y_test = fashion_mnist()
    rng = np.random.default_rng(seed)
    rows, held = rng.choice(len(y), train, replace=False), rng.choice(len(y_test), test, replace=False)
    return Split((x[rows], y[rows]), forget=np.arange(forget), test=(x_test[held], y_test[held]))


def images_class(seed: int, train: int = 2000, label: int = 6, test: int = 4000) -> Split:
    """Forget the shirts."""
    x, y, x_test, y_test = fashion_mnist()
    rng = np.random.default_rng(seed)
    rows, held = rng.choice(len(y), train, replace=False), rng.choice(len(y_test), test, replace=False)
    return Split((x[rows], y[rows]), forget=np.flatnonzero(y[rows] == label), test=(x_test[held], y_test[held]))


def build_mlp() -> nn.Module:
    """64-256-10."""
    return nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 10))


def build_cnn() -> nn.Module:
    """Two convolutions and two layers."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 5, stride=2), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2), nn.ReLU(), nn.Flatten(),
        nn.Linear(16 * 5 * 5, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip


CNN = TorchRecipe(build_cnn, epochs=40, batch_size=64, learning_rate=2e-3)
WORLDS = (
    World("digits", lambda seed: digits_example().digits(seed), digits_example().RECIPE, DECOYS, 20, 1),
    World("digits, a class", digits_class, TorchRecipe(build_mlp, epochs=40), CLASS_DECOYS, 20, 1),
    World("images, a network of convolutions", images, CNN, DECOYS, 10, 2),
    World("images, a class", images_class, CNN, ("last-layer-mask", "linear-filtration"), 10, 2),
)
CELLS = [(world, seed) for world in WORLDS for seed in range(world.seeds)]


def decoys(cell: int) -> dict[str, Any]:
    """The standard policy on decoys and on honest models; limits .60 on AUCs, .1 on gaps, .03 on drops."""
    world, seed = CELLS[cell]
    task = _task(world.split(seed), world.recipe, seed)
    row: dict[str, Any] = {"world": world.name, "seed": seed}
    row["retrain"] = [_judged(world.recipe(task.retain, seed=seed + 50 + k), task) for k in range(world.retrains)]
    method = SISA(world.recipe, shards=2)
    sharded = _task(world.split(seed), Recipe(method.train, key=f"SISA of {world.name}"), seed)
    row["SISA"] = [_judged(method(sharded.original, sharded.retain, sharded.forget, seed=seed), sharded)]
    for name in world.decoys if seed < DECOY_SEEDS else ():
        arguments = (task.recipe, task.controls) if name == "controls-leaking-retrain" else ()
        decoy = UNLEARNERS[name](*arguments)
        row[name] = [_judged(decoy(task.original, task.retain, task.forget, seed=seed), task)]
    return row


def _task(split: Split, recipe: Any, seed: int) -> UnlearningTask:
    return UnlearningTask(split, recipe, seed=seed, cache_dir=tempfile.mkdtemp())


def _judged(model: Any, task: UnlearningTask) -> str:
    """`forgotten PASS, utility FAIL, ...`."""
    found = audit_release(model, task, **SETTINGS)
    return ", ".join(f"{name} {evidence.verdict}" for name, evidence in found.items())


def verdicts(rows: list[dict[str, Any]], world: str, model: str) -> list[dict[str, str]]:
    """Each audited model's verdicts by claim."""
    judged = [line for row in rows if row["world"] == world for line in row.get(model, ())]
    return [dict(part.rsplit(" ", 1) for part in line.split(", ")) for line in judged]


def decoys_rule(rows: list[dict[str, Any]]) -> list[tuple[str, bool]]:
    """Whether each decoy is caught by some claim, and honest models by none beyond the nominal level."""
    statements = []
    for world in dict.fromkeys(row["world"] for row in rows):
        names = next(one.decoys for one in WORLDS if one.name == world)
        for name in names:
            found = verdicts(rows, world, name)
            caught = sum(any(verdict in ("FAIL", "INVALID") for verdict in one.values()) for one in found)
            statements.append((f"{world}: {name} caught {caught} of {len(found)}", caught == len(found)))
        for name in HONEST:
            found = verdicts(rows, world, name)
            for claim in found[0]:
                wrong = sum(one.get(claim) in ("FAIL", "INVALID") for one in found)
                # Four of 20 has a chance of 1.6% at the nominal level of 5%.
                statements.append((f"{world}: {name}, {claim} FAIL or INVALID {wrong} of {len(found)}", wrong <= 3))
    return statements
