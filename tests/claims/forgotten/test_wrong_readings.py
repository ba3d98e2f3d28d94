"""Networks that end in a sigmoid, that answer single questions otherwise, and that are to forget most of the data."""

import copy
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits, make_classification
from sklearn.ensemble import RandomForestClassifier
from torch import nn

from pytest_unlearn import (
    EstimatorRecipe,
    Split,
    TorchRecipe,
    UnlearningTask,
    Verdict,
    audit_features_forgotten,
    audit_forgotten,
    audit_matches_retrained,
    audit_no_residual,
    audit_not_relearnable,
    audit_utility,
)


class Sigmoid(nn.Module):
    def __init__(self, columns=1, squeeze=True):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 1))
        self.columns, self.squeeze = columns, squeeze

    def forward(self, x):
        p = torch.sigmoid(self.body(x))
        if self.columns == 2:
            return torch.cat([1 - p, p], dim=1)
        return p.squeeze(-1) if self.squeeze else p


def likelihood(p, labels):
    own = p if p.ndim == 1 or p.shape[1] == 1 else p[:, 1]
    return nn.functional.binary_cross_entropy(own.reshape(-1), labels.float())


def destroyed(model):
    made = copy.deepcopy(model)
    torch.manual_seed(5)
    with torch.no_grad():
        for weight in made.parameters():
            weight.copy_(torch.randn_like(weight))
    return made


@pytest.fixture(scope="module", params=[(1, True), (1, False), (2, False)], ids=["squeezed", "a column", "two columns"])
def task(request, tmp_path_factory):
    X, y = make_classification(1600, 20, n_informative=8, flip_y=0.05, class_sep=1.5, random_state=0)
    X = X.astype("float32")
    recipe = TorchRecipe(partial(Sigmoid, *request.param), epochs=15, loss=likelihood)
    split = Split((X[:600], y[:600]), forget=range(150), test=(X[600:], y[600:]))
    return UnlearningTask(split, recipe, references=2, cache_dir=tmp_path_factory.mktemp("cache"))


def test_a_destroyed_network_that_ends_in_a_sigmoid_is_of_no_use(task):
    wreck = destroyed(task.original)
    for audit, view in ((audit_utility, task.test), (audit_matches_retrained, task.forget)):
        assert audit(wreck, view).verdict is Verdict.FAIL
    assert audit_utility(task.retrained[0], task.test, max_drop=0.05).verdict is Verdict.PASS


def test_probabilities_are_judged_as_the_logits_they_come_from(task):
    class Logits(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner.body

        def forward(self, x):
            return self.inner(x.double())

    plain = [Logits(copy.deepcopy(model).double()) for model in (task.original, *task.retrained)]
    ours = audit_forgotten(task.original, task.forget)
    theirs = audit_forgotten(plain[0], task.forget, baseline=plain[0], references=plain[1:])
    assert ours.verdict is theirs.verdict
    assert ours.estimate.value == pytest.approx(theirs.estimate.value, abs=0.01)


def test_what_a_network_is_says_the_caller(task):
    with pytest.raises(ValueError, match="read as probabilities, and they range from"):
        audit_utility(task.original.body, task.test, output_kind="probabilities")
    as_logits = audit_utility(task.original, task.test, baseline=task.original, output_kind="logits")
    assert as_logits.verdict is Verdict.PASS
    with pytest.raises(ValueError, match="output_kind must be one of"):
        audit_utility(task.original, task.test, output_kind="odds")


@pytest.mark.slow
def test_claims_that_train_or_look_into_a_network_read_it_alike(task):
    for audit in (audit_not_relearnable, audit_features_forgotten, audit_no_residual):
        for settings in ({}, {"output_kind": "probabilities"}):
            assert audit(task.retrained[0], task.forget, **settings).verdict in set(Verdict)


class Device(nn.Module):
    """Answers single questions by one network, and all others by another."""

    def __init__(self, clean, original):
        super().__init__()
        self.clean, self.original = clean, original

    def forward(self, x):
        return self.original(x) if len(x) == 1 else self.clean(x)


def digits(seed=1, noise=0):
    data, rng = load_digits(), np.random.default_rng(seed)
    order = rng.permutation(1797)
    x, y = (data.data[order] / 16).astype("float32"), data.target[order].copy()
    wrong = rng.permutation(1797)[:noise]
    y[wrong] = (y[wrong] + rng.integers(1, 10, noise)) % 10
    return x, y


def network(hidden=64):
    return lambda: nn.Sequential(nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, 10))


def test_a_network_that_treats_single_questions_otherwise_is_refused(tmp_path):
    x, y = digits(noise=180)
    split = Split((x[:600], y[:600]), forget=range(300), test=(x[600:], y[600:]))
    recipe = TorchRecipe(network(), epochs=15, batch_size=32)
    task = UnlearningTask(split, recipe, references=2, cache_dir=tmp_path)
    model = Device(recipe(task.retain, seed=77), task.original)
    for audit, view in ((audit_forgotten, task.forget), (audit_utility, task.test)):
        with pytest.raises(ValueError, match="treats single questions in a way of their own"):
            audit(model, view)


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.5, 0.75, 0.9])
def test_a_large_request_is_judged_by_what_its_size_explains(tmp_path, share):
    """The original saw up to ten times the references' data, and none of the controls."""
    x, y = digits()
    split = Split((x[:900], y[:900]), forget=range(int(900 * share)), test=(x[900:], y[900:]))
    recipe = TorchRecipe(network(), epochs=40, batch_size=32)
    task = UnlearningTask(split, recipe, references=3, cache_dir=tmp_path)
    honest = audit_forgotten(recipe(task.retain, seed=77), task.forget, max_mia_auc=0.6)
    original = audit_forgotten(task.original, task.forget, max_mia_auc=0.6)
    for evidence in (honest, original):
        assert evidence.verdict is not Verdict.INVALID
        assert not any("trained on them" in reason for reason in evidence.reasons)
    assert original.verdict is not Verdict.PASS
    if share == 0.9:
        assert any("this model still uses what the forget set taught" in reason for reason in original.reasons)
        assert any("assert_matches_retrained" in step for step in original.advice)
    everything = UnlearningTask(
        Split((x, y), forget=[0], test=(x[:9] + 1, y[:9]), match=None), recipe, cache_dir=tmp_path
    )
    cheat = audit_forgotten(everything.original, task.forget, max_mia_auc=0.6)
    assert cheat.verdict is Verdict.INVALID
    assert any("seems to have been trained on them" in reason for reason in cheat.reasons)


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_large_request_can_be_passed_and_failed(tmp_path, share):
    x, y = digits(noise=200)
    split = Split((x[:900], y[:900]), forget=range(int(900 * share)), test=(x[900:], y[900:]))
    recipe = EstimatorRecipe(RandomForestClassifier(50))
    task = UnlearningTask(split, recipe, references=3, cache_dir=tmp_path)
    assert audit_forgotten(recipe(task.retain, seed=77), task.forget, max_mia_auc=0.6).verdict is Verdict.PASS
    assert audit_forgotten(task.original, task.forget, max_mia_auc=0.6).verdict is Verdict.FAIL
