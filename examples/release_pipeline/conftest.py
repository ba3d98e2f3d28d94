"""What is audited: the file that is to be released, and everything that was asked for so far."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from examples.release_pipeline.project import RECIPE, load, split
from unlearners import Retrain

WORK = Path(os.environ.get("WORK", ".unlearn/release_pipeline"))
REQUEST = int(os.environ.get("REQUEST", "1"))


@pytest.fixture(scope="session")
def stages_ran():
    if not (WORK / f"models/{REQUEST}.safetensors").exists():
        pytest.skip("make -f examples/release_pipeline/Makefile trains and unlearns first")


@pytest.fixture(scope="session")
def unlearn_split(stages_ran):
    return split(WORK, REQUEST)


@pytest.fixture(scope="session")
def unlearn_recipe():
    return RECIPE


@pytest.fixture(scope="session")
def unlearner():
    return Retrain(RECIPE)


@pytest.fixture(scope="session")
def unlearned_model(stages_ran):
    return load(WORK / f"models/{REQUEST}.safetensors")
