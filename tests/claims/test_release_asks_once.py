"""A release identifies each model twice and computes its features on a view once, however many claims ask."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from sklearn.datasets import load_digits
from torch import nn

from pytest_unlearn import Split, TorchRecipe, UnlearningTask, audit_features_forgotten, audit_forgotten, audit_release
from pytest_unlearn.models import handle, identity


def build():
    return nn.Sequential(nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 10))


RECIPE = TorchRecipe(build, epochs=2)


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype(np.float32)
    split = Split((x[:400], y[:400]), forget=np.arange(100), test=(x[400:900], y[400:900]))
    task = UnlearningTask(split, RECIPE, references=4, cache_dir=tmp_path_factory.mktemp("cache"))
    assert task.original is not None
    assert len(task.retrained) == 4
    return task


@pytest.fixture(scope="module")
def model(task):
    return RECIPE(task.retain, seed=5)


@pytest.fixture
def digests(monkeypatch):
    """How often the weights of each model were digested."""
    count, digest = Counter(), identity._weights

    def counted(module):
        count[id(module)] += 1
        return digest(module)

    monkeypatch.setattr(identity, "_weights", counted)
    return count


@pytest.mark.slow
def test_an_audit_digests_each_model_at_most_twice(task, model, digests):
    audit_forgotten(model, task.forget)
    assert digests[id(model)] == 2  # when it is first asked, and when the audit ends
    assert 0 < max(digests[id(one)] for one in (task.original, *task.retrained)) <= 2
    assert len(digests) == 6


@pytest.mark.slow
def test_so_does_a_release_and_it_computes_features_of_a_model_on_a_view_once(task, model, digests, monkeypatch):
    asked, compute = Counter(), handle.features

    def counted(one, view, layers):
        asked.update((id(one), view.key, layer) for layer in layers)
        return compute(one, view, layers)

    monkeypatch.setattr(handle, "features", counted)
    found = audit_release(model, task, "standard")
    assert set(found) == {"forgotten", "utility", "features_forgotten", "no_residual", "not_relearnable"}
    assert set(digests.values()) <= {1, 2}
    assert len(digests) == 6
    assert set(asked.values()) == {1}
    assert {key[1][0] for key in asked} >= {"forget", "controls"}


@pytest.mark.slow
def test_features_of_all_layers_take_no_more_passes_than_those_of_one(task, model):
    passed = []
    hook = model[0].register_forward_hook(lambda _, given, __: passed.append(len(given[0])))
    rows = []
    for layers in (["2"], ["0", "1", "2"]):
        passed.clear()
        evidence = audit_features_forgotten(model, task.forget, layers=layers)
        assert evidence.estimate is not None
        rows.append(sum(passed))
    hook.remove()
    assert rows[0] == rows[1] > len(task.forget) + len(task.controls)
