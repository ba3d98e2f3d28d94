"""The release: a network over 734 blogs, of which 200 asked to be deleted."""

from __future__ import annotations

import pytest

from examples.graph.network import GraphRecipe, SideClassifier
from examples.graph.requests import blogs_to_delete, neighbours
from pytest_unlearn import Split
from pytest_unlearn.data.view import View
from unlearners import Retrain


@pytest.fixture(scope="session")
def unlearn_split():
    try:
        return blogs_to_delete(0)
    except FileNotFoundError as error:  # not on a Debian
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def unlearn_recipe():
    return GraphRecipe(SideClassifier)


@pytest.fixture(scope="session")
def unlearner(unlearn_recipe):
    return Retrain(unlearn_recipe)


@pytest.fixture(scope="session")
def neighbour_loader(unlearning_task):
    split: Split = unlearning_task.split
    return View("neighbours", split.train, neighbours(split), unlearning_task)
