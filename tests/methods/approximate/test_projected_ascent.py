from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import TensorDataset

from tests.methods.closed_forms import gradients, linear, parts
from unlearners import ProjectedAscent

seeds = pytest.mark.parametrize("seed", range(3))


def moved(unlearned, model):
    return torch.cat([(a - b).flatten() for a, b in zip(parts(unlearned), parts(model), strict=True)])


def size(model):
    return torch.cat([p.flatten() for p in model.parameters()]).norm().item()


@seeds
def test_the_weights_stay_in_the_ball_and_reach_its_edge(seed, blobs):
    (x, _), model = blobs(30, seed, dtype=torch.float64).tensors, linear(seed)
    y = model(x).argmax(1)
    method = ProjectedAscent(epochs=20, lr=0.5, radius=0.1, until=0, repair_epochs=0)
    unlearned = method(model, blobs(30, seed + 9), TensorDataset(x, y), seed=seed)
    assert moved(unlearned, model).norm().item() == pytest.approx(0.1 * size(model))
    assert cross_entropy(unlearned(x), y) > cross_entropy(model(x), y)


@seeds
def test_without_a_ball_a_step_is_up_the_forget_loss_and_the_repair_down_the_retain_loss(seed, blobs):
    retain, model, (x, _) = (
        blobs(30, seed, dtype=torch.float64),
        linear(seed),
        blobs(9, seed + 50, dtype=torch.float64).tensors,
    )
    forget = TensorDataset(x, model(x).argmax(1))
    method = ProjectedAscent(epochs=1, lr=0.4, momentum=0, radius=math.inf, until=0, repair_lr=0.2, clip=math.inf)
    weight, bias = parts(model)
    dw, db = gradients(weight, bias, *forget.tensors)
    weight, bias = weight + 0.4 * dw, bias + 0.4 * db
    dw, db = gradients(weight, bias, *retain.tensors)
    unlearned = method(model, retain, forget, seed=seed)
    torch.testing.assert_close(unlearned.weight, weight - 0.2 * dw, rtol=0, atol=1e-12)
    torch.testing.assert_close(unlearned.bias, bias - 0.2 * db, rtol=0, atol=1e-12)


@seeds
def test_a_step_too_far_ends_where_its_line_leaves_the_ball(seed, blobs):
    model, (x, _) = linear(seed), blobs(9, seed, dtype=torch.float64).tensors
    forget = TensorDataset(x, model(x).argmax(1))
    settings = {"epochs": 1, "lr": 5.0, "momentum": 0, "until": 0, "repair_epochs": 0, "clip": math.inf}
    unlearned = ProjectedAscent(radius=0.02, **settings)(model, blobs(9, 1), forget, seed=seed)
    step = torch.cat([5.0 * g.flatten() for g in gradients(*parts(model), *forget.tensors)])
    assert step.norm() > 0.02 * size(model)
    torch.testing.assert_close(moved(unlearned, model), step * (0.02 * size(model) / step.norm()), rtol=0, atol=1e-12)


@seeds
def test_a_long_gradient_of_the_ascent_is_cut_and_that_of_the_repair_is_not(seed, blobs):
    retain, model, (x, _) = blobs(30, seed, dtype=torch.float64), linear(seed), blobs(9, seed + 50).tensors
    forget = TensorDataset(x.double(), model(x.double()).argmax(1))
    up = torch.cat([g.flatten() for g in gradients(*parts(model), *forget.tensors)])
    clip = 0.1 * up.norm().item()
    settings = {"epochs": 1, "lr": 0.4, "momentum": 0, "radius": math.inf, "until": 0, "clip": clip}
    ascended, repaired = (
        ProjectedAscent(repair_epochs=n, repair_lr=0.2, **settings)(model, retain, forget, seed=seed) for n in (0, 1)
    )
    torch.testing.assert_close(moved(ascended, model), 0.4 * 0.1 * up, rtol=0, atol=1e-6)
    down = torch.cat([g.flatten() for g in gradients(*parts(ascended), *retain.tensors)])
    assert down.norm() > clip
    torch.testing.assert_close(moved(repaired, ascended), -0.2 * down, rtol=0, atol=1e-12)


def test_ascent_ends_where_the_forget_set_is_classified_as_badly_as_asked(blobs):
    model, (x, _) = linear(0), blobs(30, 0, dtype=torch.float64).tensors
    wrong = TensorDataset(x, (model(x).argmax(1) + 1) % 3)
    unlearned = ProjectedAscent(repair_epochs=0)(model, blobs(9, 1), wrong, seed=3)
    assert torch.equal(unlearned.weight, model.weight)
    right = TensorDataset(x, model(x).argmax(1))
    slowly = ProjectedAscent(epochs=400, lr=0.05, radius=math.inf, until=0.5, repair_epochs=0)(
        model, blobs(9, 1), right, seed=3
    )
    accuracy = (slowly(x).argmax(1) == right.tensors[1]).double().mean().item()
    assert 0.2 < accuracy <= 0.5


@pytest.mark.parametrize("wrong", [{"radius": -1}, {"until": 2}, {"repair_epochs": -1}, {"repair_lr": -1}, {"clip": 0}])
def test_hyper_parameters_are_checked(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ProjectedAscent(**wrong)
