from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from tests.methods.closed_forms import gradients, linear, parts
from tests.methods.neurips2023.digits import Recorder, changed, mislabelled, numbers, outcome
from unlearners.neurips2023.msg import MaskedSmallGradients

Blobs = Callable[..., TensorDataset]
seeds = pytest.mark.parametrize("seed", range(3))


@pytest.mark.parametrize(("share", "kept"), [(0.0, 9), (0.3, 9), (0.5, 9), (1.0, 9), (0.5, 4)])
@seeds
def test_the_weights_with_the_smallest_gradient_difference_are_drawn_anew(
    seed: int, share: float, kept: int, blobs: Blobs
) -> None:
    retain, forget, model = (
        blobs(kept, seed, dtype=torch.float64),
        blobs(9, seed + 50, dtype=torch.float64),
        linear(seed),
    )
    unlearned = MaskedSmallGradients(epochs=0, share=share)(model, retain, forget, seed=seed)
    pull, push = (gradients(model.weight, model.bias, *data.tensors)[0] for data in (retain, forget))
    smallest = (pull - push).abs().flatten().argsort()[: round(share * 12)]
    expected = torch.zeros(12, dtype=torch.bool)
    expected[smallest] = True
    assert torch.equal((unlearned.weight != model.weight).flatten(), expected)
    assert torch.equal(unlearned.bias, model.bias)


@seeds
def test_the_share_is_of_each_convolution_and_nothing_else_changes(seed: int) -> None:
    model, retain, forget = mislabelled(seed)
    unlearned = MaskedSmallGradients(epochs=0, batch_statistics="running")(model, retain, forget, seed=seed)
    assert changed(unlearned, model) == {"0.weight", "3.weight"}
    for i in (0, 3):
        assert (unlearned[i].weight != model[i].weight).sum() == round(0.3 * model[i].weight.numel())


def test_gradients_come_from_as_many_retain_examples_as_there_are_to_forget() -> None:
    MaskedSmallGradients(epochs=0)(Recorder(), numbers(0, 20), numbers(100, 6), seed=3)
    kept, gone = Recorder.seen
    assert len(set(kept)) == 6
    assert set(kept) < set(range(20))
    assert kept != sorted(kept)
    assert sorted(gone) == list(range(100, 106))


def test_new_weights_are_he_normal_over_the_fan_out(blobs: Blobs) -> None:
    model = nn.Sequential(nn.Linear(4, 5000), nn.ReLU(), nn.Linear(5000, 3))
    unlearned = MaskedSmallGradients(epochs=0, share=1)(model, blobs(30, 0), blobs(9, 1), seed=3)
    assert unlearned[0].weight.std().item() == pytest.approx((2 / 5000) ** 0.5, rel=0.02)
    assert changed(unlearned, model) == {"0.weight"}


@pytest.mark.parametrize("optimizer", ["sgd"])
@seeds
def test_kept_weights_take_a_tenth_of_the_gradient(seed: int, optimizer: str, blobs: Blobs) -> None:
    retain, forget, model = blobs(30, seed, dtype=torch.float64), blobs(9, seed + 50, dtype=torch.float64), linear(seed)
    settings = {"lr": 0.5, "momentum": 0.0, "weight_decay": 0.1}
    start = MaskedSmallGradients(epochs=0, **settings)(model, retain, forget, seed=seed)
    unlearned = MaskedSmallGradients(epochs=1, **settings)(model, retain, forget, seed=seed)
    weight, bias = parts(start)
    slope, bias_slope = gradients(weight, bias, *retain.tensors)
    scale = torch.where(weight != model.weight, 1.0, 0.1)
    assert (scale == 1).sum() == round(0.3 * 12)
    torch.testing.assert_close(unlearned.weight, weight - 0.5 * (scale * slope + 0.1 * weight), rtol=0, atol=1e-12)
    torch.testing.assert_close(unlearned.bias, bias - 0.5 * (bias_slope + 0.1 * bias), rtol=0, atol=1e-12)


def test_the_scale_is_the_one_asked_for_and_does_not_outlive_the_method(blobs: Blobs) -> None:
    retain, model = blobs(30, 0, dtype=torch.float64), linear(0)
    method = MaskedSmallGradients(epochs=1, kept_scale=0.0, weight_decay=0.0)
    unlearned = method(model, retain, blobs(9, 1, dtype=torch.float64), seed=3)
    assert (unlearned.weight != model.weight).sum() == round(0.3 * 12)
    nn.functional.cross_entropy(unlearned(retain.tensors[0]), retain.tensors[1]).backward()
    slope, _ = gradients(*parts(unlearned), *retain.tensors)
    torch.testing.assert_close(unlearned.weight.grad, slope, rtol=0, atol=1e-12)


def test_the_learning_rate_rises_and_falls_linearly() -> None:
    rates = [MaskedSmallGradients(lr=6.0).rate(i) for i in range(5)]
    assert rates == pytest.approx([2, 4, 6, 4, 2])
    assert [MaskedSmallGradients(lr=6.0, epochs=1).rate(0)] == [6]
    assert [MaskedSmallGradients(lr=6.0, epochs=4).rate(i) for i in range(4)] == pytest.approx([3, 6, 4, 2])


def test_the_schedule_is_followed(blobs: Blobs) -> None:
    retain, forget, model = blobs(30, 0, dtype=torch.float64), blobs(9, 1, dtype=torch.float64), linear(0)
    settings = {"share": 0.0, "kept_scale": 1.0, "momentum": 0.0, "weight_decay": 0.0}
    unlearned = MaskedSmallGradients(epochs=3, lr=0.4, **settings)(model, retain, forget, seed=3)
    weight, bias = parts(model)
    for lr in (0.2, 0.4, 0.2):
        slopes = gradients(weight, bias, *retain.tensors)
        weight, bias = weight - lr * slopes[0], bias - lr * slopes[1]
    torch.testing.assert_close(unlearned.weight, weight, rtol=0, atol=1e-12)


def test_forget_data_are_not_written_into_buffers(blobs: Blobs) -> None:
    model = nn.Sequential(nn.BatchNorm1d(4, momentum=1.0), nn.Linear(4, 3))
    settings = {"epochs": 0, "batch_statistics": "running"}
    unlearned = MaskedSmallGradients(**settings)(model, blobs(30, 0), blobs(9, 1), seed=3)
    assert changed(unlearned, model) == {"1.weight"}
    theirs = MaskedSmallGradients(epochs=0)(model, blobs(30, 0), blobs(9, 1), seed=3)
    assert "0.running_mean" in changed(theirs, model)


def test_memorised_labels_are_forgotten_and_the_rest_is_kept() -> None:
    kept, gone = outcome(MaskedSmallGradients(lr=0.05, epochs=8, batch_size=32))
    assert kept > 0.9
    assert gone < 0.35


@pytest.mark.parametrize(("field", "value"), [("share", -0.1), ("share", 1.1), ("kept_scale", -1.0)])
def test_hyper_parameters_are_checked(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field):
        MaskedSmallGradients(**{field: value})
