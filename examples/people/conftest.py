"""The release: a network that recognises 221 persons, of whom 40 asked to be forgotten."""

from __future__ import annotations

import pytest

from examples.people.network import recipe
from examples.people.requests import album, whole_persons
from unlearners import Retrain


@pytest.fixture(scope="session")
def people():
    try:
        return album(0)
    except FileNotFoundError as error:  # not on a Debian
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def unlearn_split(people):
    return whole_persons(people, 0)


@pytest.fixture(scope="session")
def unlearn_recipe(people):
    return recipe(people.persons)


@pytest.fixture(scope="session")
def unlearner(unlearn_recipe):
    return Retrain(unlearn_recipe)
