"""The release: a forest of biopsies, of which 150 with large nuclei have to go."""

from __future__ import annotations

import pytest

from examples.shift.models import RECIPE
from examples.shift.shifts import SHIFTS
from unlearners import Retrain


@pytest.fixture(scope="session")
def unlearn_split():
    return SHIFTS["large tumours"].split(0)


@pytest.fixture(scope="session")
def unlearn_recipe():
    return RECIPE


@pytest.fixture(scope="session")
def unlearner(unlearn_recipe):
    return Retrain(unlearn_recipe)
