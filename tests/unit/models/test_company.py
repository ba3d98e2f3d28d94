"""A model answers an example alike alone, in small and large batches, and among examples of the other set."""

import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from torch import nn

from pytest_unlearn import Split, UnlearningTask, audit_forgotten, audit_utility
from pytest_unlearn.models.handle import ModelHandle
from pytest_unlearn.models.predict import evaluate

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(600, 6)).astype(np.float32), np.arange(600) % 3
TASK = UnlearningTask(Split((X[:300], Y[:300]), forget=np.arange(150), test=(X[300:], Y[300:])))
VIEWS = (TASK.forget, TASK.controls)
FORGET = {row.tobytes() for row in X[:150]}
CLEAN, DIRTY = RNG.normal(size=(2, 6, 3))


def answers(model, views=VIEWS):
    return ModelHandle(model, classes=np.arange(3)).answers(views)


def device(dirty):
    """A service that answers by other weights wherever `dirty(batch, number of the call)` says so, row by row."""
    calls = []

    def ask(x):
        calls.append(len(x))
        return np.where(np.reshape(dirty(x, len(calls)), (-1, 1)), x @ DIRTY, x @ CLEAN)

    return ask


def share_of_forget(x):
    return np.mean([row.tobytes() in FORGET for row in np.asarray(x)])


@pytest.mark.parametrize(
    "dirty",
    [
        lambda x, _: len(x) == 1,
        lambda x, _: len(x) < 5,
        lambda x, _: len(x) <= 100,
        lambda x, _: len(x) % 2 == 1,
        lambda x, _: len(x) not in (1, 16, 44, 106, 150, 256),
        lambda x, _: np.arange(len(x)) == 0,
        lambda x, _: np.arange(len(x)) == len(x) - 1,
        lambda x, _: np.arange(len(x)) >= 10,
        lambda x, _: share_of_forget(x) < 0.6,
        lambda x, _: 0 < share_of_forget(x) < 1,
        lambda x, call: call % 2,
        lambda x, call: call > 3,
        lambda x, call: call == 1,
        lambda x, _: (len(x) == 1) & (np.arange(len(x)) == 0) & (share_of_forget(x) == 1),
    ],
    ids=[
        "alone", "in few", "in up to 100", "in odd batches", "in any usual size", "at first place", "at last place",
        "from tenth place on", "where controls are in the batch", "where both sets are", "every other call",
        "after three calls", "on the first call", "forget examples alone",
    ],
)  # fmt: skip
def test_an_answer_that_depends_on_company_is_refused(dirty):
    with pytest.raises(ValueError, match="asked again in another batch, or alone"):
        answers(device(dirty))


def test_labels_that_depend_on_company_are_refused():
    def ask(x):
        return np.eye(3)[(x @ (DIRTY if len(x) == 1 else CLEAN)).argmax(axis=1)]

    with pytest.raises(ValueError, match="or alone"):
        answers(ask)


def test_an_estimator_is_asked_alone_as_well():
    class Service(RandomForestClassifier):
        def predict_proba(self, rows):
            return super().predict_proba(rows if len(rows) > 1 else -rows)

    with pytest.raises(ValueError, match="or alone"):
        answers(Service(20, random_state=0).fit(X[:300], Y[:300]))


@pytest.mark.parametrize(
    "model",
    [
        lambda x: (x @ CLEAN).squeeze(),
        lambda x: np.eye(3)[(x @ CLEAN).argmax(axis=1)],
        lambda x: np.round(1 / (1 + np.exp(-x @ CLEAN)), 1),
        lambda x: (
            (x @ CLEAN).astype(np.float32) + np.float32(1e-6 * len(x) / 256)
        ),  # what batch size costs in precision
        nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 3)),
        nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3), nn.Softmax(dim=1)),
        RandomForestClassifier(20, random_state=0).fit(X[:300], Y[:300]),
        KNeighborsClassifier(5).fit(X[:300], Y[:300]),
    ],
    ids=["squeezed", "labels", "rounded", "in single precision", "network", "softmax", "forest", "neighbours"],
)
def test_an_honest_model_is_never_refused(model):
    forget, controls = answers(model)
    assert len(forget.logits) == 150
    assert len(controls.logits) == 300


def test_a_sample_is_asked_once_a_model_and_costs_little():
    calls = []

    def model(x):
        calls.append(len(x))
        return x @ CLEAN

    handle = ModelHandle(model, classes=np.arange(3))
    handle.answers(VIEWS)
    assert calls.count(1) <= 32 + 2 * 4
    assert sum(calls) - 450 <= 250
    before = len(calls)
    handle.answers(VIEWS)
    assert len(calls) == before


def test_a_model_of_a_few_examples_is_asked_about_those():
    few = UnlearningTask(Split((X[:9], Y[:9]), forget=[0], test=(X[300:303], Y[300:303]), match=None))
    assert len(answers(lambda x: x @ CLEAN, (few.forget, few.controls))) == 2


def test_every_audit_asks_alone():
    model = device(lambda x, _: len(x) == 1)
    clean = lambda x: x @ CLEAN  # noqa: E731
    with pytest.raises(ValueError, match="or alone"):
        audit_forgotten(model, TASK.forget, baseline=clean, references=[clean, clean])
    with pytest.raises(ValueError, match="or alone"):
        audit_utility(model, TASK.test, baseline=clean)
    with pytest.raises(ValueError, match="or alone"):
        evaluate(model, TASK.test, classes=np.arange(3))


def test_a_networks_answers_in_half_precision_are_compared_as_such():
    model = nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 3)).to(torch.bfloat16)
    assert len(answers(model)) == 2
