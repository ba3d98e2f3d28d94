"""Leakage reduced by half, at 40 examples: retrained models pass, models that remember half do not."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from torch import nn

from pytest_unlearn import EstimatorRecipe, Split, TorchRecipe, UnlearningTask, audit_leakage_reduced
from tests.worlds.real import fashion_mnist
from tools.judged.joint import Pair, build_mlp, noisy

FORGET, TRAIN, CONTROLS = 40, 1000, 5000
SEEDS = 20
REMEMBERED = {"honest": 0.0, "half the request": 0.5, "nine tenths": 0.9, "no-op": 1.0}
HALF = ("half the request", "half an ensemble")


@dataclass(frozen=True)
class World:
    """A way to train, on images of which a share has a wrong label."""

    name: str
    recipe: Callable[[], Any]
    noise: float


WORLDS = (
    World("an MLP, 3 in 10 mislabelled", lambda: TorchRecipe(build_mlp, epochs=40, learning_rate=2e-3), 0.3),
    World("an MLP, half mislabelled", lambda: TorchRecipe(build_mlp, epochs=40, learning_rate=2e-3), 0.5),
    World("a forest, half mislabelled", lambda: EstimatorRecipe(RandomForestClassifier(100)), 0.5),
)
CELLS = [(world, seed) for world in WORLDS for seed in range(SEEDS)]


def mislabelled_images(seed: int, noise: float) -> Split:
    """40 of 1,000 images to forget; these and 5,000 controls have wrong labels in equal shares."""
    x, y, x_test, y_test = fashion_mnist()
    rng = np.random.default_rng(seed)
    rows, held = rng.choice(len(y), TRAIN, replace=False), rng.choice(len(y_test), CONTROLS, replace=False)
    labels, others = y[rows].copy(), y_test[held].copy()
    noisy(labels, np.arange(TRAIN), noise, rng)
    noisy(others, np.arange(CONTROLS), noise, rng)
    return Split((x[rows], labels), forget=np.arange(FORGET), test=(x_test[held], others))


def reduction(cell: int) -> dict[str, Any]:
    """Leakage reduced by half, 40 examples, 5,000 controls: retrained models pass, those that remember half do not."""
    world, seed = CELLS[cell]
    recipe = world.recipe()
    task = UnlearningTask(mislabelled_images(seed, world.noise), recipe, seed=seed, cache_dir=tempfile.mkdtemp())
    _ = task.retrained
    order = np.random.default_rng(seed).permutation(task.forget.indices)
    kept = [np.sort(np.r_[task.retain.indices, order[: round(share * FORGET)]]) for share in REMEMBERED.values()]
    models = dict(zip(REMEMBERED, task.train_on(kept, first_seed=seed + 60), strict=True))
    models["half an ensemble"] = averaged(task.original, models["honest"])
    row: dict[str, Any] = {"world": world.name, "seed": seed}
    for name, model in models.items():
        found = audit_leakage_reduced(model, task.forget, min_reduction=0.5)
        share, original = found.share_left, found.controls.original
        assert original is not None
        row["original"] = round(original.estimate.value, 3)
        left = f": {share.value:.2f} [{share.low:.2f}, {share.high:.2f}] left" if share else ""
        row[name] = f"{found.verdict}{left}"
    return row


def reduction_rule(rows: list[dict[str, Any]]) -> list[tuple[str, bool]]:
    """Honest models pass in 80%, half in at most 5%, nine tenths and no-ops never."""
    statements = []
    for world in WORLDS:
        mine = [row for row in rows if row["world"] == world.name]
        least = min(row["original"] for row in mine)
        statements.append((f"{world.name}: every original's AUC is at least .80 (least {least:.3f})", least >= 0.8))
        for name in (*REMEMBERED, HALF[1]):
            passed = sum(row[name].startswith("PASS") for row in mine)
            asked = "at least 80%" if name == "honest" else "at most 5%" if name in HALF else "never"
            holds = {"at least 80%": passed >= 0.8 * len(mine), "at most 5%": passed <= 0.05 * len(mine)}
            text = f"{world.name}: {name} PASS in {passed} of {len(mine)} ({asked})"
            statements.append((text, holds.get(asked, not passed)))
    return statements


def averaged(one: Any, other: Any) -> Any:
    """The mean of two models' probabilities."""
    if isinstance(one, nn.Module):
        return Pair(one, other)
    return lambda x: np.log(np.mean([m.predict_proba(x) for m in (one, other)], axis=0) + 1e-12)
