"""No decoy passes: each method that only looks like unlearning is refused on real data and real networks."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits
from torch import nn

from pytest_unlearn import Split, TorchRecipe, UnlearningTask, Verdict, audit_forgotten
from tests.worlds.real import digits_example
from unlearners import decoys

LIMIT = 0.6


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    world = digits_example()
    folder = tmp_path_factory.mktemp("cache")
    return UnlearningTask(world.digits(seed=0), world.RECIPE, cache_dir=folder, shadow_models=4)


@pytest.fixture(scope="module")
def class_task(tmp_path_factory):
    """Forget the digit 3: half of it trained on, half of it controls."""
    data = load_digits()
    x, y = (data.data / 16).astype(np.float32), data.target
    order = np.random.default_rng(0).permutation(len(y))
    train, test = order[:900], order[900:]
    split = Split((x[train], y[train]), forget=np.flatnonzero(y[train] == 3), test=(x[test], y[test]))
    recipe = TorchRecipe(lambda: nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 10)), epochs=40)
    return UnlearningTask(split, recipe, cache_dir=tmp_path_factory.mktemp("cache"))


RANDOM = {
    "no-op": lambda task: decoys.NoOp(),
    "exact-input-mask": lambda task: decoys.ExactInputMask(),
    "nearest-neighbour-refusal": lambda task: decoys.NearestNeighbourRefusal(),
    "logit-noise": lambda task: decoys.LogitNoise(),
    "temperature-flattening": lambda task: decoys.TemperatureFlattening(),
    "label-flip": lambda task: decoys.LabelFlip(),
    "controls-leaking-retrain": lambda task: decoys.ControlsLeakingRetrain(task.recipe, task.controls),
}


@pytest.mark.slow
@pytest.mark.parametrize("attacks", ["standard", "online"])
@pytest.mark.parametrize("name", RANDOM)
def test_no_decoy_passes_on_a_random_request(name, attacks, task):
    decoy = RANDOM[name](task)
    unlearned = decoy(task.original, task.retain, task.forget, seed=0)
    evidence = audit_forgotten(unlearned, task.forget, max_mia_auc=LIMIT, attacks=attacks)
    assert evidence.verdict is not Verdict.PASS, evidence.reasons


@pytest.mark.slow
def test_the_last_layer_mask_does_not_pass_on_a_whole_class(class_task):
    unlearned = decoys.LastLayerMask()(class_task.original, class_task.retain, class_task.forget, seed=0)
    evidence = audit_forgotten(unlearned, class_task.forget, max_mia_auc=0.7)
    assert evidence.verdict is not Verdict.PASS, evidence.reasons


@pytest.mark.slow
@pytest.mark.parametrize("name", ["exact-input-mask", pytest.param("label-flip", marks=pytest.mark.slow)])
def test_destroying_the_forget_set_is_over_forgetting(name, task):
    unlearned = RANDOM[name](task)(task.original, task.retain, task.forget, seed=0)
    evidence = audit_forgotten(unlearned, task.forget, max_mia_auc=LIMIT)
    assert (evidence.verdict, evidence.label) == (Verdict.FAIL, "over-forgotten")
