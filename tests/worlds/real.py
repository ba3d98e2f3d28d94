"""The worlds that tests and judged tables share: real data, real networks, seeded."""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from torch import nn

from examples.fashion_mnist import fashion_mnist as images
from pytest_unlearn import Split, TorchRecipe

ROOT = Path(__file__).parents[2]


def digits_example() -> ModuleType:
    """The main example's conftest, for its split and network."""
    name = "digits_release_gate_conftest"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / "digits_release_gate" / "conftest.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@cache
def fashion_mnist() -> tuple[Any, Any, Any, Any]:
    """Train images and labels (60,000), test images and labels (10,000); pixels in [0, 1], flattened."""
    x, y, x_test, y_test = images()
    return x.reshape(-1, 784), y, x_test.reshape(-1, 784), y_test


def fashion_split(draw: int, train: int = 2600, forget: int = 600) -> Split:
    """A random deletion request; all 10,000 test images are controls."""
    x, y, x_test, y_test = fashion_mnist()
    rows = np.random.default_rng(draw).choice(len(y), size=train, replace=False)
    return Split((x[rows], y[rows]), forget=np.arange(forget), test=(x_test, y_test))


def fashion_class_split(draw: int, label: int = 6, train: int = 6000, controls: str = "matched") -> Split:
    """A request to forget a whole class.

    Controls are its test images ("matched"), these and every image of it that was not drawn for training ("all"), or
    the test images of other classes ("mismatched").
    """
    x, y, x_test, y_test = fashion_mnist()
    rows = np.random.default_rng(draw).choice(len(y), size=train, replace=False)
    request = np.flatnonzero(y[rows] == label)
    if controls == "matched":
        return Split((x[rows], y[rows]), forget=request, test=(x_test, y_test))
    if controls == "all":
        unused = np.setdiff1d(np.flatnonzero(y == label), rows)
        held = (
            np.concatenate([x_test[y_test == label], x[unused]]),
            np.full(len(unused) + (y_test == label).sum(), label),
        )
        return Split((x[rows], y[rows]), forget=request, test=(x_test, y_test), controls=held)
    others = y_test != label
    held = (x_test[others], y_test[others])
    return Split((x[rows], y[rows]), forget=request, test=(x_test, y_test), controls=held, match=None)


def build_fashion_mlp() -> nn.Module:
    """784-256-10."""
    return nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))


FASHION_RECIPE = TorchRecipe(build_fashion_mlp, epochs=40, batch_size=64, learning_rate=1e-3)
