"""The joint verdict of a release: honest models are released, models that remember are not, in seven worlds."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from torch import nn

from examples import fashion_mnist as square
from pytest_unlearn import EstimatorRecipe, Recipe, Split, TorchRecipe, UnlearningTask, audit_release
from tests.worlds.real import digits_example, fashion_mnist
from unlearners import SISA, UNLEARNERS, FineTune

LEAK_SEEDS, DECOY_SEEDS = 10, 3
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
NETWORK_LEAKS = ("retain and half the request", "half an ensemble", "30% of the original's weights", "a fine-tune")
LEAKS = NETWORK_LEAKS[:2]


@dataclass(frozen=True)
class World:
    """A request, how models are trained, and limits that so many examples can certify (`plan` says them)."""

    name: str
    split: Callable[[int], Split]
    recipe: Any
    limits: dict[str, float]
    seeds: int = 20
    retrains: int = 1
    sisa: int = 0
    leaks: tuple[str, ...] = LEAKS
    decoys: tuple[str, ...] = ()


def noisy(labels: Any, rows: Any, share: float, rng: np.random.Generator) -> None:
    """Give a share of these rows another label, so that there is something to remember."""
    wrong = rng.choice(rows, size=round(share * len(rows)), replace=False)
    classes = int(labels.max()) + 1
    labels[wrong] = (labels[wrong] + rng.integers(1, classes, size=len(wrong))) % classes


def drawn(x: Any, y: Any, seed: int, train: int, forget: int, controls: int, noise: float) -> Split:
    """Draw a random request with noisy labels, controls of the same law, and clean test examples."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(y))
    x, y = x[order].astype(np.float32), y[order].copy()
    held = np.arange(train, train + controls)
    for rows in (np.arange(forget), held):
        noisy(y, rows, noise, rng)
    rest = np.arange(train + controls, len(y))
    return Split((x[:train], y[:train]), forget=np.arange(forget), test=(x[rest], y[rest]), controls=(x[held], y[held]))


def digits(seed: int) -> Split:
    """Forget 400 of 700 digits, a fifth of them mislabelled; 600 controls, 497 test digits."""
    data = load_digits()
    return drawn(data.data / 16, data.target, seed, 700, 400, 600, 0.2)


def digits_class(seed: int, label: int = 3) -> Split:
    """Forget a digit: half of it trained on, half of it controls."""
    data = load_digits()
    x, y = (data.data / 16).astype(np.float32), data.target
    order = np.random.default_rng(seed).permutation(len(y))
    train, test = order[:900], order[900:]
    return Split((x[train], y[train]), forget=np.flatnonzero(y[train] == label), test=(x[test], y[test]))


def images(seed: int, train: int = 1500, forget: int = 400, test: int = 3000) -> Split:
    """Forget random images."""
    x, y, x_test, y_test = square.fashion_mnist()
    rng = np.random.default_rng(seed)
    rows, held = rng.choice(len(y), train, replace=False), rng.choice(len(y_test), test, replace=False)
    return Split((x[rows], y[rows]), forget=np.arange(forget), test=(x_test[held], y_test[held]))


def images_class(seed: int, train: int = 2000, label: int = 6, test: int = 4000) -> Split:
    """Forget the shirts."""
    x, y, x_test, y_test = square.fashion_mnist()
    rng = np.random.default_rng(seed)
    rows, held = rng.choice(len(y), train, replace=False), rng.choice(len(y_test), test, replace=False)
    return Split((x[rows], y[rows]), forget=np.flatnonzero(y[rows] == label), test=(x_test[held], y_test[held]))


def flat_images(seed: int) -> Split:
    """Forget 500 of 2,000 images; 5,000 controls."""
    x, y, x_test, y_test = fashion_mnist()
    rng = np.random.default_rng(seed)
    rows, held = rng.choice(len(y), 2000, replace=False), rng.choice(len(y_test), 5000, replace=False)
    return Split((x[rows], y[rows]), forget=np.arange(500), test=(x_test[held], y_test[held]))


def cancer(seed: int) -> Split:
    """Forget 120 of 240 tumours, a fifth of them mislabelled; 160 controls, 169 test examples."""
    data = load_breast_cancer()
    return drawn(data.data, data.target, seed, 240, 120, 160, 0.2)


def build_mlp() -> nn.Module:
    """784-256-10."""
    return nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))


def build_small() -> nn.Module:
    """64-256-10."""
    return nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 10))


def build_cnn() -> nn.Module:
    """Two convolutions and two layers."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 5, stride=2), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2), nn.ReLU(), nn.Flatten(),
        nn.Linear(16 * 5 * 5, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip


CNN = TorchRecipe(build_cnn, epochs=40, batch_size=64, learning_rate=2e-3)
BOOSTING = HistGradientBoostingClassifier(max_iter=50, min_samples_leaf=5)
LOOSE = {"max_mia_auc": 0.65, "max_gap": 0.15, "max_drop": 0.05}
USUAL = {"max_mia_auc": 0.6, "max_gap": 0.1, "max_drop": 0.03}
WORLDS = (
    World("digits", digits, digits_example().RECIPE, LOOSE, 20, 1, 10, NETWORK_LEAKS, DECOYS),
    World("digits, a class", digits_class, TorchRecipe(build_small, epochs=40), LOOSE, 20, 1, 10, LEAKS, CLASS_DECOYS),
    World("images, convolutions", images, CNN, USUAL, 10, 1, 5, NETWORK_LEAKS, DECOYS),
    World("images, a class", images_class, CNN, LOOSE, 10, 1, 5, LEAKS, ("last-layer-mask", "linear-filtration")),
    World("images, an MLP", flat_images, TorchRecipe(build_mlp, epochs=30, learning_rate=2e-3), USUAL, 20),
    World("digits, a forest", digits, EstimatorRecipe(RandomForestClassifier(100)), LOOSE, 20),
    World("tumours, boosting", cancer, EstimatorRecipe(BOOSTING), {**LOOSE, "max_mia_auc": 0.7, "max_drop": 0.1}, 20),
)
CELLS = [(world, seed) for world in WORLDS for seed in range(world.seeds)]


def joint(cell: int) -> dict[str, Any]:
    """Joint verdicts of `standard`: honest retrains and SISA are released, what remembers half is not."""
    world, seed = CELLS[cell]
    task = _task(world.split(seed), world.recipe, seed)
    row: dict[str, Any] = {"world": world.name, "seed": seed}
    row["retrain"] = [judged(world, _retrained(world, task, seed + k), task) for k in range(world.retrains)]
    if seed < world.sisa:
        method = SISA(world.recipe, shards=2)
        sharded = _task(world.split(seed), Recipe(method.train, key=f"SISA of {world.name}"), seed)
        row["SISA"] = [judged(world, method(sharded.original, sharded.retain, sharded.forget, seed=seed), sharded)]
    for name in world.leaks if seed < LEAK_SEEDS else ():
        row[name] = [judged(world, leaking(name, world, task, seed), task)]
    for name in world.decoys if seed < DECOY_SEEDS else ():
        arguments = (task.recipe, task.controls) if name == "controls-leaking-retrain" else ()
        decoy = UNLEARNERS[name](*arguments)
        row[name] = [judged(world, decoy(task.original, task.retain, task.forget, seed=seed), task)]
    return row


def _task(split: Split, recipe: Any, seed: int) -> UnlearningTask:
    return UnlearningTask(split, recipe, seed=seed, cache_dir=tempfile.mkdtemp())


def _retrained(world: World, task: UnlearningTask, seed: int) -> Any:
    """Retrain as references are: on a bootstrap of retain where seeds change nothing."""
    _ = task.retrained
    view = task.retain.resampled(seed + 7000) if task.bootstrapped else task.retain
    return world.recipe(view, seed=seed + 50)


def leaking(name: str, world: World, task: UnlearningTask, seed: int) -> Any:
    """A model that remembers about half of the request, or a fine-tune of the original."""
    if name == LEAKS[0]:
        half = np.random.default_rng(seed).permutation(task.forget.indices)[: len(task.forget) // 2]
        return task.train_on([np.sort(np.concatenate([task.retain.indices, half]))], first_seed=seed + 60)[0]
    if name == "a fine-tune":
        return FineTune()(task.original, task.retain, task.forget, seed=seed)
    retrained = _retrained(world, task, seed)
    if name == LEAKS[1]:
        if isinstance(retrained, nn.Module):
            return Pair(task.original, retrained)
        return lambda x: np.log(np.mean([m.predict_proba(x) for m in (task.original, retrained)], axis=0) + 1e-12)
    with torch.no_grad():
        for ours, theirs in zip(retrained.parameters(), task.original.parameters(), strict=True):
            ours.mul_(0.7).add_(0.3 * theirs)
    return retrained


class Pair(nn.Module):
    """The mean of two models' probabilities."""

    def __init__(self, one: nn.Module, other: nn.Module) -> None:
        super().__init__()
        self.one, self.other = copy.deepcopy(one), copy.deepcopy(other)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Average the two."""
        return torch.log((self.one(x).softmax(1) + self.other(x).softmax(1)) / 2)


def judged(world: World, model: Any, task: UnlearningTask) -> str:
    """`released: forgotten PASS, features_forgotten NOT TESTABLE, ...`."""
    found = audit_release(model, task, **world.limits)
    words = [f"{name} {'NOT TESTABLE' if one.not_testable and not one.required else one.verdict}"
             for name, one in found.items()]  # fmt: skip
    return f"{'released' if all(one.proven for one in found.values()) else 'withheld'}: {', '.join(words)}"


def joint_rule(rows: list[dict[str, Any]]) -> list[tuple[str, bool]]:
    """At least nine in ten retrains and eight in ten SISA released, no leak beyond one in twenty, decoys caught."""
    statements = []
    for world in WORLDS:
        mine = [row for row in rows if row["world"] == world.name]
        for name in dict.fromkeys(name for row in mine for name in row if name not in ("world", "seed", "cell")):
            found = [line for row in mine for line in row.get(name, ())]
            released = sum(line.startswith("released") for line in found)
            caught = sum("FAIL" in line or "INVALID" in line for line in found)
            most, text = len(found), f"{world.name}: {name}"
            if name in ("retrain", "SISA"):
                share = 0.9 if name == "retrain" else 0.8
                statements.append(
                    (f"{text} released {released} of {most} (at least {share:.0%})", released >= share * most)
                )
                statements.append(
                    (f"{text} FAIL or INVALID {caught} of {most} (at most 3 of 20)", caught <= 0.15 * most)
                )
            elif name in world.decoys:
                statements.append((f"{text} caught {caught} of {most} (all)", caught == most))
            else:
                statements.append((f"{text} released {released} of {most} (at most 5%)", released <= 0.05 * most))
    return statements
