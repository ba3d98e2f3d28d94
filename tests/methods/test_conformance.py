"""Every method of the table keeps the promises of every unlearner, as the auditor's own suite checks them.

A method that its defaults make slow, or that cannot be made without arguments, has an entry below.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from torch import nn

from pytest_unlearn import Case, EstimatorRecipe, TorchRecipe, parametrize_unlearners
from unlearners import UNLEARNERS, from_loaders


def build() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3))


def examples(n: int, seed: int, scale: float = 1.0) -> list[tuple[Any, int]]:
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    rows = scale * (rng.normal(size=(n, 6)) + np.eye(6)[labels])
    return [(row.astype(np.float32), int(label)) for row, label in zip(rows, labels, strict=True)]


def kit(model: nn.Module, retain_loader: Any, forget_loader: Any, validation_loader: Any) -> None:
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in retain_loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()


NETWORK, RIDGE, BAYES = TorchRecipe(build, epochs=2), EstimatorRecipe(RidgeClassifier()), EstimatorRecipe(GaussianNB())
UNIT_ROWS = examples(200, seed=0, scale=0.1)

SETTINGS: dict[str, dict[str, Any]] = {
    "retrain": {"recipe": NETWORK},
    "sisa": {"recipe": NETWORK, "shards": 2},
    "amnesiac": {"build": build},
    "scrub-rewind": {"validation": examples(30, seed=1)},
    "warnecke-second-order": {"iterations": 3},
    "unlearnable-extra-trees": {"trees": 5},
    "controls-leaking-retrain": {"recipe": NETWORK, "controls": examples(12, seed=1)},
}
"""Method -> what it is made with besides `epochs=1`, where its defaults do not do."""

MODELS: dict[str, dict[str, Any]] = {
    "retrain": {"recipe": NETWORK},
    "controls-leaking-retrain": {"recipe": NETWORK},
    "scrub-rewind": {"recipe": NETWORK},
    "ridge-downdate": {"recipe": RIDGE},
    "gaussian-nb-downdate": {"recipe": BAYES},
    "certified-newton": {"dataset": UNIT_ROWS},
    "descent-to-delete": {"dataset": UNIT_ROWS},
    "langevin": {"dataset": UNIT_ROWS},
}
"""Method -> which models it is tried on, where those are not the suite's networks."""

RETRAINS = {
    "frozen-layers-untouched": "a new model has no layers from before",
    "double-precision-kept": "a new model has the dtype of the recipe",
    "modes-kept": "a new model has the modes of the recipe",
}
WRAPS = {
    "names-and-shapes-kept": "it hides the model behind a filter",
    "frozen-layers-untouched": "it hides the model behind a filter",
}
SHARES = {"result-shares-nothing-with-the-input": "nodes that lose no row are shared; they are read-only"}
EXPECTED: dict[str, dict[str, str]] = {
    "retrain": RETRAINS,
    "sisa": {"frozen-layers-untouched": "a shard is trained from scratch, and the recipe decides what is frozen"},
    "controls-leaking-retrain": RETRAINS,
    **dict.fromkeys(("dare", "unlearnable-extra-trees"), SHARES),
    **dict.fromkeys(("exact-input-mask", "nearest-neighbour-refusal", "logit-noise", "temperature-flattening"), WRAPS),
}
"""Method -> check -> why it fails."""


def case(name: str) -> Case:
    method = UNLEARNERS[name](**SETTINGS.get(name, {}))
    if "epochs" in {field.name for field in fields(method)}:
        method = replace(method, epochs=1)
    return Case(method, **MODELS.get(name, {}), expected_failures=EXPECTED.get(name, {}), name=name)


KIT = {"frozen-layers-untouched": "the function trains in train mode, frozen BatchNorm layers too"}
CASES = [*map(case, UNLEARNERS), Case(from_loaders(kit), expected_failures=KIT, name="from-loaders")]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore:There is a performance drop")
@parametrize_unlearners(CASES)
def test_conformance(unlearner: Callable[..., Any], check: Callable[[], None]) -> None:
    check()
