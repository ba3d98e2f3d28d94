"""Tiny language models of docstrings: 100 of the 400 that they were trained on have to go."""

import pytest

from examples.text.language_models import LIGHT, recipe, split
from unlearners import Retrain


@pytest.fixture(scope="session")
def unlearn_split():
    return split()


@pytest.fixture(scope="session")
def unlearn_recipe():
    return recipe(LIGHT)


@pytest.fixture(scope="session")
def unlearner(unlearn_recipe):
    return Retrain(unlearn_recipe)
