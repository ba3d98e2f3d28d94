from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from unlearners import Unsupported
from unlearners.exact.langevin import LangevinUnlearning


def rows(n, seed, classes=3):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    x = rng.normal(size=(n, 5)) + 2 * np.eye(5)[labels]
    return [(row / 8, int(label)) for row, label in zip(x, labels, strict=True)]


METHOD = LangevinUnlearning(steps=60, noise=0.2, regularisation=0.05)


def test_a_request_takes_as_many_steps_as_the_guarantee_needs():
    data, model = rows(300, 0), METHOD.train(rows(300, 0), seed=1)
    unlearned = METHOD(model, data[:290], data[290:], seed=2)
    (trained, all_of_them), (steps, left) = unlearned.phases
    assert (trained, all_of_them, left) == (60, 300, 290)
    assert METHOD.spent([(60, 300)], 290, steps, 3) <= METHOD.epsilon
    assert steps == 1 or METHOD.spent([(60, 300)], 290, steps - 1, 3) > METHOD.epsilon
    assert 1 < steps < 60
    assert model.phases == [(60, 300)]


def test_requests_add_up():
    """What an earlier request left is counted in the next: forgetting in two goes takes more steps than one."""
    data = rows(300, 0)
    model = METHOD.train(data, seed=1)
    first = METHOD(model, data[:290], data[290:], seed=2)
    second = METHOD(first, data[:280], data[280:290], seed=3)
    assert [left for _, left in second.phases] == [300, 290, 280]
    alone = METHOD.needed([(60, 290)], 280, 3)
    assert second.phases[2][0] > alone


def test_where_training_is_cheaper_it_trains_anew():
    data, method = rows(300, 0), replace(METHOD, steps=9)
    unlearned = method(method.train(data, seed=1), data[:3], data[3:], seed=2)
    assert unlearned.phases == [(9, 3)]


@pytest.mark.parametrize("classes", [2, 3])
def test_a_step_is_the_gradient_and_its_noise(classes):
    """From zero, where all classes are equally likely: two runs with one tape differ by the data alone."""
    method = LangevinUnlearning(steps=1, noise=1e-9)
    data = rows(60, 0, classes)
    x, y = torch.tensor(np.array([r for r, _ in data])), torch.tensor([label for _, label in data])
    wanted = torch.eye(classes, dtype=x.dtype)[y]
    slope = (1 / classes - wanted).T @ x / 60
    expected = -method.rate(classes) * (slope if classes > 2 else slope[1:])
    torch.testing.assert_close(method.train(data, seed=0).weight, expected, rtol=0, atol=1e-7)


def test_steps_contract_and_noise_stays_bounded():
    """Same tape, other starts: as far apart as the contraction says; and the weights learn the classes."""
    for classes in (2, 3):
        method = LangevinUnlearning(steps=30, noise=0.01)
        data = rows(90, 0, classes)
        model = method.train(data, seed=0)
        other = method.train(data, seed=0)
        with torch.no_grad():
            other.weight.add_(1.0)
        x, y = torch.tensor(np.array([r for r, _ in data])), torch.tensor([label for _, label in data])
        before = float((model.weight - other.weight).detach().norm())
        for each in (model, other):
            each.phases = [(30, 90)]
            method._descend(each, (x, y), 10, 7)
        assert (
            float((model.weight - other.weight).detach().norm()) <= method.contraction(classes) ** 10 * before + 1e-12
        )
        assert (model(x).argmax(1) == y).double().mean() > 0.8


def test_each_phase_has_noise_of_its_own():
    data = rows(90, 0)
    method = LangevinUnlearning(steps=60, noise=0.3, regularisation=0.05)
    model = method.train(data, seed=5)
    one, same = (method(model, data[:89], data[89:], seed=5) for _ in range(2))
    assert torch.equal(one.weight, same.weight)
    assert not torch.equal(one.weight, method(model, data[:89], data[89:], seed=6).weight)


def test_other_models_and_data_are_refused():
    data = rows(30, 0)
    with pytest.raises(Unsupported, match=r"from its own train\(\)"):
        METHOD(nn.Linear(5, 3), data[:20], data[20:], seed=0)
    model = METHOD.train(data, seed=0)
    with pytest.raises(ValueError, match="not what the model was trained on"):
        METHOD(model, data[:20], data[20:29], seed=0)
    with pytest.raises(ValueError, match="trained with"):
        LangevinUnlearning(noise=1)(model, data[:20], data[20:], seed=0)


@pytest.mark.parametrize("wrong", [{"noise": 0}, {"epsilon": math.inf}, {"delta": 0}, {"steps": 0}, {"classes": 1}])
def test_hyper_parameters_are_checked(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        LangevinUnlearning(**wrong)
