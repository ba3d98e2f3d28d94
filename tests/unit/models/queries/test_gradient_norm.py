"""Gradient norms: those of a plain loop, for any network whose answer to one example is its own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from pytest_unlearn import Split, UnlearningTask
from pytest_unlearn.models.queries import gradient_norm

RNG = np.random.default_rng(0)


def view(shape=(6,), n=30, classes=3):
    train, test = ((RNG.normal(size=(k, *shape)).astype(np.float32), np.arange(k) % classes) for k in (n, n))
    return UnlearningTask(Split(train, forget=np.arange(n // 2), test=test), references=0).forget


def by_hand(model, part):
    model.eval()
    norms = []
    for x, y in part:
        model.zero_grad()
        nn.functional.cross_entropy(model(torch.as_tensor(x)[None]), torch.tensor([y])).backward()
        norms.append(sum(float((p.grad**2).sum()) for p in model.parameters() if p.grad is not None) ** 0.5)
    return np.array(norms)


NETWORKS = {
    "linear": ((6,), lambda: nn.Linear(6, 3)),
    "deep": ((6,), lambda: nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 3))),
    "convolution with BatchNorm": (
        (1, 6, 6),
        lambda: nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3)),
    ),
}


@pytest.mark.parametrize("name", list(NETWORKS))
def test_it_is_what_a_loop_over_examples_finds(name):
    shape, build = NETWORKS[name]
    torch.manual_seed(0)
    model, part = build().train(), view(shape)
    assert gradient_norm(model, part, None) == pytest.approx(by_hand(model, part), rel=1e-4)


def test_modes_gradients_and_weights_are_left_as_they_were():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Linear(8, 3)).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    gradient_norm(model, view(), None)
    assert model.training
    assert all(p.grad is None for p in model.parameters())
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_for_softmax_regression_it_has_a_closed_form():
    torch.manual_seed(0)
    model, part = nn.Linear(6, 3), view()
    inputs, labels = part.arrays()
    with torch.no_grad():
        p = torch.softmax(model(torch.as_tensor(inputs)), dim=1).numpy()
    error = p - np.eye(3)[labels]
    expected = np.linalg.norm(error, axis=1) * np.sqrt(1 + (inputs**2).sum(axis=1))
    assert gradient_norm(model, part, None) == pytest.approx(expected, rel=1e-4)


def test_frozen_weights_do_not_count_and_without_others_there_is_nothing():
    torch.manual_seed(0)
    model, part = nn.Sequential(nn.Linear(6, 8), nn.Linear(8, 3)), view()
    model[0].requires_grad_(False)
    assert gradient_norm(model, part, None) == pytest.approx(by_hand(model, part), rel=1e-4)
    model.requires_grad_(False)
    with pytest.raises(ValueError, match="all of this model's are frozen"):
        gradient_norm(model, part, None)


def test_an_estimator_has_no_weights_to_differentiate_by():
    part = view()
    with pytest.raises(ValueError, match=r"needs an nn.Module"):
        gradient_norm(LogisticRegression().fit(*part.arrays()), part, None)


def test_a_network_that_cannot_be_differentiated_says_so():
    class Rounding(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(6, 3)

        def forward(self, x):
            return self.linear(x) * (1.0 if bool((x > 0).any()) else 2.0)  # control flow on data

    with pytest.raises(ValueError, match="leave it out of attacks="):
        gradient_norm(Rounding(), view(), None)
