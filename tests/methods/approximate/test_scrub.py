from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from tests.methods.closed_forms import gradients, linear, parts
from unlearners import FineTune
from unlearners.approximate.scrub import SCRUB

PLAIN = {
    "optimizer": "sgd",
    "momentum": 0,
    "weight_decay": 0,
    "batch_size": 99,
    "forget_batch_size": 99,
    "decay_epochs": (),
}


def distillation(weight, bias, teacher, x, temperature):
    """Gradient of T^2 KL(teacher || student), mean over x: T (p_student - p_teacher) at temperature T."""
    student = torch.softmax((x @ weight.T + bias) / temperature, 1)
    target = torch.softmax((x @ teacher[0].T + teacher[1]) / temperature, 1)
    r = temperature * (student - target) / len(x)
    return r.T @ x, r.sum(0)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
@pytest.mark.parametrize("seed", range(3))
def test_steps_are_the_closed_form(seed, temperature, blobs):
    """Each epoch: up the divergence on forget (in the first two), then down alpha KL + gamma CE on retain."""
    retain, forget = blobs(30, seed, dtype=torch.float64), blobs(9, seed + 50, dtype=torch.float64)
    model = linear(seed)
    method = SCRUB(epochs=3, forget_epochs=2, lr=0.5, alpha=0.4, gamma=0.7, temperature=temperature, **PLAIN)
    unlearned = method(model, retain, forget, seed=seed)
    teacher = weight, bias = parts(model)
    (x, y), (gone, _) = retain.tensors, forget.tensors
    for epoch in range(3):
        if epoch < 2:
            dw, db = distillation(weight, bias, teacher, gone, temperature)
            weight, bias = weight + 0.5 * dw, bias + 0.5 * db
        (dw, db), (cw, cb) = distillation(weight, bias, teacher, x, temperature), gradients(weight, bias, x, y)
        weight, bias = weight - 0.5 * (0.4 * dw + 0.7 * cw), bias - 0.5 * (0.4 * db + 0.7 * cb)
    torch.testing.assert_close(unlearned.weight, weight, rtol=0, atol=1e-12)
    torch.testing.assert_close(unlearned.bias, bias, rtol=0, atol=1e-12)


def test_distillation_alone_keeps_the_original(blobs):
    """Student and teacher agree, so the divergence has no gradient: nothing to repair."""
    model = linear(0)
    unlearned = SCRUB(epochs=5, forget_epochs=0, gamma=0, lr=0.5, **PLAIN)(model, blobs(30, 0), blobs(9, 1), seed=3)
    torch.testing.assert_close(unlearned.weight, model.weight, rtol=0, atol=1e-14)


def test_without_forget_passes_and_distillation_it_is_fine_tuning_bit_for_bit(blobs):
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3))
    settings = {"epochs": 3, "lr": 0.05, "weight_decay": 1e-3, "batch_size": 16}
    retain, forget = blobs(60, 0), blobs(9, 1)
    ours = SCRUB(**settings, optimizer="sgd", alpha=0, forget_epochs=0, decay_epochs=())(model, retain, forget, seed=3)
    theirs = FineTune(**settings, schedule="constant")(model, retain, forget, seed=3)
    assert all(map(torch.equal, ours.state_dict().values(), theirs.state_dict().values()))


def test_forget_set_is_disobeyed_and_retain_set_is_not(blobs):
    """Mislabelled examples learnt by heart are given up, the rest is kept: the mean over five networks."""

    def accuracy(net, data):
        return (net(data.tensors[0]).argmax(1) == data.tensors[1]).double().mean()

    lost = {"forget": [], "retain": []}
    for seed in range(5):
        torch.manual_seed(seed)
        retain, (x, y) = blobs(90, seed), blobs(15, seed + 50).tensors
        forget = TensorDataset(x, (y + 1) % 3)
        network = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 3))
        both = TensorDataset(*(torch.cat(pair) for pair in zip(retain.tensors, forget.tensors, strict=True)))
        model = FineTune(epochs=200, lr=0.3, batch_size=32, weight_decay=0)(network, both, forget, seed=seed)
        unlearned = SCRUB(epochs=10, forget_epochs=5, lr=5e-3, forget_batch_size=4, weight_decay=0)(
            model, retain, forget, seed=seed
        )
        for name, data in (("forget", forget), ("retain", retain)):
            lost[name].append(accuracy(model, data) - accuracy(unlearned, data))
    gone, kept = (sum(lost[name]) / 5 for name in ("forget", "retain"))
    assert gone > 0.15
    assert gone > kept + 0.1


def test_the_learning_rate_falls_in_the_authors_steps():
    rates = [SCRUB(lr=1.0).rate(i) for i in range(10)]
    assert rates == pytest.approx([1] * 5 + [0.1] * 3 + [0.01, 0.001])
    assert [SCRUB(lr=1.0, decay_epochs=()).rate(i) for i in (0, 9)] == [1, 1]


def test_forget_batches_are_normalised_as_asked(blobs):
    """By their own statistics, which the running ones remember, or by the running ones, which do not move."""
    model = nn.Sequential(nn.BatchNorm1d(4, momentum=1.0), nn.Linear(4, 3))
    forget, retain = blobs(9, 1), TensorDataset(torch.zeros(8, 4), torch.arange(8) % 3)
    norms = []
    hook = model[0].register_forward_pre_hook(lambda module, x: norms.append((module.training, len(x[0]))))
    for statistics, training in (("authors", True), ("running", False)):
        norms.clear()
        SCRUB(epochs=1, lr=0, batch_statistics=statistics)(model, retain, forget, seed=3)
        assert (training, 9) in norms
    hook.remove()
    one = SCRUB(epochs=1, forget_epochs=1, batch_statistics="authors")(model, retain, blobs(1, 1), seed=3)
    assert all(bool(t.isfinite().all()) for t in one.state_dict().values())


@pytest.mark.parametrize(
    "wrong",
    [
        {"decay_rate": 2},
        {"batch_statistics": "none"},
        {"alpha": -1},
        {"gamma": -1},
        {"temperature": 0},
        {"forget_epochs": -1},
        {"forget_batch_size": 0},
    ],
)
def test_hyper_parameters_are_checked(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SCRUB(**wrong)
