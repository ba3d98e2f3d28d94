from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.methods.closed_forms import linear, parts
from unlearners.approximate.incompetent_teacher import IncompetentTeacher, untrained

PLAIN = {"optimizer": "sgd", "momentum": 0, "batch_size": 999}


@pytest.mark.parametrize("temperature", [1.0, 2.0])
@pytest.mark.parametrize("seed", range(3))
def test_one_step_is_the_closed_form(seed, temperature, blobs):
    """At the start the student is the competent teacher, so only the forget set pulls: T (p - p_bad) x / batch."""
    retain, forget = blobs(20, seed, dtype=torch.float64), blobs(9, seed + 50, dtype=torch.float64)
    model, bad = linear(seed), linear(seed + 7)
    method = IncompetentTeacher(teacher=bad, lr=0.5, retain_share=0.5, temperature=temperature, **PLAIN)
    unlearned = method(model, retain, forget, seed=seed)
    gone = forget.tensors[0]
    pull = torch.softmax(model(gone) / temperature, 1) - torch.softmax(bad(gone) / temperature, 1)
    pull = temperature * pull.detach() / (10 + 9)
    weight, bias = parts(model)
    torch.testing.assert_close(unlearned.weight, weight - 0.5 * pull.T @ gone, rtol=0, atol=1e-12)
    torch.testing.assert_close(unlearned.bias, bias - 0.5 * pull.sum(0), rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_ends_near_the_bad_teacher_on_forget_and_near_the_original_on_retain(seed, blobs):
    torch.manual_seed(seed)
    retain, forget = blobs(40, seed), blobs(10, seed + 50)
    gone = torch.utils.data.TensorDataset(forget.tensors[0] + 6, forget.tensors[1])
    model = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 3))
    bad = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 3))
    method = IncompetentTeacher(teacher=bad, epochs=300, lr=5e-3, retain_share=1.0)
    unlearned = method(model, retain, gone, seed=seed)

    def distance(one, other, x):
        return (torch.softmax(one(x), 1) - torch.softmax(other(x), 1)).abs().sum(1).mean().item()

    assert distance(unlearned, bad, gone.tensors[0]) < 0.2 * distance(model, bad, gone.tensors[0])
    assert distance(unlearned, model, retain.tensors[0]) < 0.25 * distance(bad, model, retain.tensors[0])


def test_default_teacher_is_a_new_draw_of_the_same_network():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.Linear(16, 3))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(100)
    teacher = untrained(model)
    assert all(p.abs().max() <= 1 for p in teacher.parameters())
    assert not any(p.requires_grad for p in teacher.parameters())
    assert not teacher.training
    assert model[0].weight.min() > 90


def test_labels_are_never_read(blobs):
    """Distillation knows no labels: other labels, same result."""
    (x, y), (gone, true) = blobs(20, 0).tensors, blobs(9, 1).tensors
    model = nn.Linear(4, 3)
    results = [
        IncompetentTeacher(epochs=2, lr=0.1)(
            model,
            torch.utils.data.TensorDataset(x, (y + shift) % 3),
            torch.utils.data.TensorDataset(gone, (true + shift) % 3),
            seed=3,
        )
        for shift in (0, 1)
    ]
    assert torch.equal(results[0].weight, results[1].weight)
    assert not torch.equal(results[0].weight, model.weight)


@pytest.mark.parametrize("wrong", [{"retain_share": 0}, {"retain_share": 1.1}, {"temperature": 0}])
def test_hyper_parameters_are_checked(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        IncompetentTeacher(**wrong)
