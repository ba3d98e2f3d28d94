"""The release: a ResNet-18 over 400 images, of which 100 asked to be deleted."""

from __future__ import annotations

import pytest

from unlearners import Retrain


@pytest.fixture(scope="session")
def unlearn_split():
    images = pytest.importorskip("examples.cifar10.images", exc_type=ImportError)
    from examples.cifar10.requests import random_images, world

    try:
        return random_images(world(images.cifar10(), 0), 0)
    except FileNotFoundError as error:  # not on a Debian
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def unlearn_recipe():
    from examples.cifar10.requests import RECIPE

    return RECIPE


@pytest.fixture(scope="session")
def unlearner(unlearn_recipe):
    return Retrain(unlearn_recipe)
