"""Digits with 20% label noise and small forests: a world in which an attack sees what was trained on."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pytest_unlearn import UnlearningTask
from tests.search.weaknesses import forest, noisy_digits

RECIPE = forest(trees=15)
LIMIT = 0.6


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """`task`, and `wrong`: which training labels are planted ones."""
    split, wrong = noisy_digits(train=600)
    return SimpleNamespace(
        task=UnlearningTask(split, RECIPE, references=0, cache_dir=tmp_path_factory.mktemp("cache")), wrong=wrong
    )
