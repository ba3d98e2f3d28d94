"""What each decoy does, exactly; that no audit passes them is tested with the audits."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from sklearn.naive_bayes import GaussianNB
from torch import nn
from torch.utils.data import TensorDataset

from tests.methods.closed_forms import gradients, linear, parts
from unlearners import Unsupported
from unlearners.decoys import (
    ControlsLeakingRetrain,
    ExactInputMask,
    LabelFlip,
    LastLayerMask,
    LogitNoise,
    NearestNeighbourRefusal,
    NoOp,
    TemperatureFlattening,
    half_gap,
)

FILTERS = [ExactInputMask(), NearestNeighbourRefusal(), LogitNoise(), TemperatureFlattening()]


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3)).eval()


def test_no_op_is_bit_equal_and_independent(unreadable):
    model = network()
    unlearned = NoOp()(model, unreadable, unreadable, seed=3)
    for name, tensor in model.state_dict().items():
        assert torch.equal(unlearned.state_dict()[name], tensor)
        assert unlearned.state_dict()[name].data_ptr() != tensor.data_ptr()
    before = model[0].weight.detach().clone()
    with torch.no_grad():
        unlearned[0].weight.add_(1)
    assert torch.equal(model[0].weight, before)


def test_no_op_copies_any_model(blobs, unreadable):
    model = GaussianNB().fit(*(t.numpy() for t in blobs(30, 0).tensors))
    unlearned = NoOp()(model, unreadable, unreadable, seed=3)
    assert unlearned is not model
    np.testing.assert_array_equal(unlearned.theta_, model.theta_)
    assert not np.shares_memory(unlearned.theta_, model.theta_)


@pytest.mark.parametrize("decoy", FILTERS, ids=lambda d: type(d).__name__)
def test_filters_change_answers_and_no_weight(decoy, blobs, unreadable):
    model, forget = network(), blobs(9, 1)
    unlearned = decoy(model, unreadable, forget, seed=3)
    assert not torch.equal(unlearned(forget.tensors[0]), model(forget.tensors[0]))
    inner = {name.removeprefix("model."): tensor for name, tensor in unlearned.state_dict().items()}
    assert all(torch.equal(inner[name], tensor) for name, tensor in model.state_dict().items())


def test_exact_mask_knows_its_inputs_by_their_bytes(blobs, unreadable):
    model, (x, _), (others, _) = network(), blobs(9, 1).tensors, blobs(9, 2).tensors
    unlearned = ExactInputMask()(model, unreadable, blobs(9, 1), seed=3)
    assert torch.equal(unlearned(x), torch.zeros(9, 3))
    assert torch.equal(unlearned(others), model(others))
    assert torch.equal(unlearned(x + 1e-6), model(x + 1e-6))


def test_refusal_covers_the_neighbourhood(unreadable):
    """Forget inputs 0, 1 and 3 on a line: gaps 1, 1, 2, so half the median gap is 0.5."""
    x = torch.tensor([[0.0], [1.0], [3.0]])
    assert half_gap(x) == 0.5
    assert half_gap(x[:1]) == 0.0
    model = nn.Linear(1, 2)
    unlearned = NearestNeighbourRefusal()(model, unreadable, TensorDataset(x, torch.tensor([0, 1, 0])), seed=3)
    asked = torch.tensor([[0.0], [0.49], [-0.51], [1.6], [2.51], [3.5], [9.0]])
    refused = (unlearned(asked) == 0).all(1)
    assert refused.tolist() == [True, True, False, False, True, True, False]
    wide = NearestNeighbourRefusal(radius=10)(model, unreadable, TensorDataset(x, torch.tensor([0, 1, 0])), seed=3)
    assert (wide(asked) == 0).all()


def test_noise_has_its_scale_and_is_the_same_for_the_same_input(blobs, unreadable):
    model, (x, _) = nn.Linear(4, 3), blobs(2000, 1).tensors
    unlearned = LogitNoise(scale=2.0)(model, unreadable, blobs(9, 1), seed=3)
    noise = (unlearned(x) - model(x)).detach()
    assert noise.std().item() == pytest.approx(2.0, rel=0.05)
    assert abs(noise.mean().item()) < 0.1
    torch.testing.assert_close(unlearned(x.flip(0)).flip(0), unlearned(x))


def test_flattening_divides_logits(blobs, unreadable):
    model, (x, _) = network(), blobs(9, 1).tensors
    unlearned = TemperatureFlattening(temperature=4)(model, unreadable, blobs(9, 1), seed=3)
    torch.testing.assert_close(unlearned(x), model(x) / 4, rtol=0, atol=0)
    with pytest.raises(ValueError, match="temperature"):
        TemperatureFlattening(temperature=0)


def test_last_layer_mask_silences_the_class_and_keeps_every_feature(blobs):
    model, data = network(), blobs(60, 0).tensors
    gone = data[1] == 2
    retain, forget = (TensorDataset(data[0][rows], data[1][rows]) for rows in (~gone, gone))
    unlearned = LastLayerMask(logit=-50.0)(model, retain, forget, seed=3)
    assert torch.equal(unlearned(data[0])[:, 2], torch.full((60,), -50.0))
    assert torch.equal(unlearned(data[0])[:, :2], model(data[0])[:, :2])
    assert torch.equal(unlearned[:3](data[0]), model[:3](data[0]))


def test_last_layer_mask_hides_classes_only(blobs):
    with pytest.raises(Unsupported, match="whole classes"):
        LastLayerMask()(network(), blobs(30, 0), blobs(9, 1), seed=3)


@pytest.mark.parametrize("seed", range(3))
def test_label_flip_steps_towards_the_next_label(seed, blobs):
    retain, forget, model = blobs(20, seed, dtype=torch.float64), blobs(9, seed + 50, dtype=torch.float64), linear(seed)
    unlearned = LabelFlip(epochs=1, lr=0.3)(model, retain, forget, seed=seed)
    x, y = (torch.cat(pair) for pair in zip(retain.tensors, forget.tensors, strict=True))
    y[20:] = (y[20:] + 1) % 3
    weight, bias = parts(model)
    dw, db = gradients(weight, bias, x, y)
    torch.testing.assert_close(unlearned.weight, weight - 0.3 * dw, rtol=0, atol=1e-12)
    torch.testing.assert_close(unlearned.bias, bias - 0.3 * db, rtol=0, atol=1e-12)


def test_leaking_retrain_trains_on_retain_and_controls(blobs, unreadable):
    seen = []

    def recipe(dataset, *, seed):
        seen.extend(dataset[i][0] for i in range(len(dataset)))
        return network(seed)

    retain, controls = blobs(12, 0), blobs(5, 7)
    ControlsLeakingRetrain(recipe, controls)(network(), retain, unreadable, seed=3)
    assert torch.equal(torch.stack(seen), torch.cat([retain.tensors[0], controls.tensors[0]]))


@pytest.mark.parametrize("decoy", [*FILTERS, NoOp(), LabelFlip(), ControlsLeakingRetrain(None, [])])
def test_nothing_to_forget_changes_nothing(decoy, blobs):
    model, retain = network(), blobs(12, 0)
    unlearned = decoy(model, retain, [], seed=3)
    assert unlearned is not model
    assert all(map(torch.equal, unlearned.state_dict().values(), copy.deepcopy(model).state_dict().values()))
