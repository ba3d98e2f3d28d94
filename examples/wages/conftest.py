"""The release: boosting on 272 men, of whom 25 asked to be deleted with all their years."""

from __future__ import annotations

import pytest

from examples.wages.models import RECIPES
from examples.wages.panel import persons_to_delete
from unlearners import Retrain


@pytest.fixture(scope="session")
def unlearn_split():
    try:
        return persons_to_delete(0)
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def unlearn_recipe():
    return RECIPES["LightGBM"]


@pytest.fixture(scope="session")
def unlearner(unlearn_recipe):
    return Retrain(unlearn_recipe)
