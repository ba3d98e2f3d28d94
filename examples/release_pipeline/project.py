"""A project that releases a classifier of digits, and what it was asked to delete."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import load_file, save_file
from sklearn.datasets import load_digits
from torch import nn

from pytest_unlearn import Split, TorchRecipe

TRAIN, CONTROLS, NOISE = 900, 300, 0.2
OF_REQUEST = {1: 300, 2: 150}  # how many examples are asked for in the first week, and in the second


def build() -> nn.Module:
    """The network of this project."""
    return nn.Sequential(nn.Linear(64, 512), nn.ReLU(), nn.Linear(512, 10))


RECIPE = TorchRecipe(build, epochs=80, batch_size=32, learning_rate=1e-3)


def parts() -> dict[str, Any]:
    """Digits that are trained on, controls of the same law, and test digits; a fifth of the first two is mislabelled.

    There is then something to forget that generalisation cannot explain.
    """
    images, labels = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    order = rng.permutation(len(labels))
    images, labels = (images[order] / 16).astype(np.float32), labels[order].copy()
    held = TRAIN + CONTROLS
    wrong = rng.choice(held, size=round(NOISE * held), replace=False)
    labels[wrong] = (labels[wrong] + rng.integers(1, 10, size=len(wrong))) % 10
    cuts = {"train": slice(TRAIN), "controls": slice(TRAIN, held), "test": slice(held, None)}
    return {name: (images[rows], labels[rows]) for name, rows in cuts.items()}


def asked(request: int) -> list[int]:
    """Draw who asks: rows of the training data. In a real project the requests come from people."""
    order = np.random.default_rng(1).permutation(TRAIN)
    first = sum(OF_REQUEST[earlier] for earlier in range(1, request))
    return sorted(order[first : first + OF_REQUEST[request]].tolist())


def split(work: Path, request: int) -> Split:
    """Everything that was asked for so far has to be gone, the latest request and those before it."""
    of = parts()
    rows = [row for number in range(1, request + 1) for row in read(work, number)]
    return Split(of["train"], forget=rows, test=of["test"], controls=of["controls"])


def read(work: Path, request: int) -> list[int]:
    """The rows of a request, as its stage wrote them."""
    rows: list[int] = json.loads((work / f"requests/{request}.json").read_text())["rows"]
    return rows


def save(model: nn.Module, path: Path) -> None:
    """Write a model's weights."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(model.state_dict(), path)


def load(path: Path) -> nn.Module:
    """Read a model's weights."""
    model = build()
    model.load_state_dict(load_file(path))
    return model.eval()
