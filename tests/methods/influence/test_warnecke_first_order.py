from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, TensorDataset

from unlearners.influence.warnecke_first_order import WarneckeFirstOrder

Blobs = Callable[..., TensorDataset]


def gradients(model: nn.Linear, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Of the summed cross-entropy of a linear model, in weight and bias."""
    residual = (torch.softmax(model(x), 1) - torch.eye(3, dtype=x.dtype)[y]).detach()
    return residual.T @ x, residual.sum(0)


def without_second_feature(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    x[:, 1] = 0
    return x, (y + 1) % 3


@pytest.mark.parametrize("n", [1, 9])
@pytest.mark.parametrize("seed", range(3))
def test_deletion_is_the_closed_form_and_retain_is_never_read(
    seed: int, n: int, blobs: Blobs, unreadable: Dataset[tuple[Tensor, int]]
) -> None:
    forget = blobs(n, seed, dtype=torch.float64)
    model = nn.Linear(4, 3).double()
    unlearned = WarneckeFirstOrder(rate=0.1, steps=1)(model, unreadable, forget, seed=seed)
    weight, bias = gradients(model, *forget.tensors)
    torch.testing.assert_close(unlearned.weight, model.weight + 0.1 * weight, rtol=0, atol=1e-12)
    torch.testing.assert_close(unlearned.bias, model.bias + 0.1 * bias, rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_correction_is_the_closed_form_and_does_not_touch_the_data(
    seed: int, blobs: Blobs, unreadable: Dataset[tuple[Tensor, int]]
) -> None:
    forget = blobs(9, seed, dtype=torch.float64)
    before = forget.tensors[0].clone()
    model = nn.Linear(4, 3).double()
    method = WarneckeFirstOrder(rate=0.1, steps=1, correction=without_second_feature)
    unlearned = method(model, unreadable, forget, seed=seed)
    assert torch.equal(forget.tensors[0], before)
    x, y = forget.tensors
    lost, gained = gradients(model, x, y), gradients(model, *without_second_feature(x.clone(), y))
    torch.testing.assert_close(unlearned.weight, model.weight - 0.1 * (gained[0] - lost[0]), rtol=0, atol=1e-12)
    torch.testing.assert_close(unlearned.bias, model.bias - 0.1 * (gained[1] - lost[1]), rtol=0, atol=1e-12)


def test_ten_steps_are_ten_times_one_step(blobs: Blobs, unreadable: Dataset[tuple[Tensor, int]]) -> None:
    forget, model = blobs(9, 0, dtype=torch.float64), nn.Linear(4, 3).double()
    at_once, one = WarneckeFirstOrder(rate=0.1)(model, unreadable, forget, seed=3), model
    for _ in range(10):
        one = WarneckeFirstOrder(rate=0.1, steps=1)(one, unreadable, forget, seed=3)
    torch.testing.assert_close(at_once.weight, one.weight, rtol=0, atol=1e-12)
    assert WarneckeFirstOrder().steps == 10
    with pytest.raises(ValueError, match="steps"):
        WarneckeFirstOrder(steps=0)


def test_a_correction_that_changes_nothing_changes_nothing(
    blobs: Blobs, unreadable: Dataset[tuple[Tensor, int]]
) -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3))
    unlearned = WarneckeFirstOrder(rate=1.0, correction=lambda x, y: (x, y))(model, unreadable, blobs(9, 1), seed=3)
    assert all(map(torch.equal, unlearned.state_dict().values(), model.state_dict().values()))


def test_works_in_eval_mode_and_leaves_running_statistics(
    blobs: Blobs, unreadable: Dataset[tuple[Tensor, int]]
) -> None:
    model = nn.Sequential(nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 3))
    first, second = (WarneckeFirstOrder(rate=0.1)(model, unreadable, blobs(9, 1), seed=seed) for seed in (1, 2))
    assert torch.equal(first[2].weight, second[2].weight)
    assert not torch.equal(first[2].weight, model[2].weight)
    assert torch.equal(first[0].running_mean, model[0].running_mean)


def test_a_correction_gives_one_example_for_each(blobs: Blobs, unreadable: Dataset[tuple[Tensor, int]]) -> None:
    method = WarneckeFirstOrder(correction=lambda x, y: (x[:-1], y[:-1]))
    with pytest.raises(ValueError, match="correction must give one example of the same shape for each"):
        method(nn.Linear(4, 3), unreadable, blobs(9, 1), seed=3)


@pytest.mark.parametrize("rate", [-1.0, float("nan"), float("inf")])
def test_rate_is_checked_where_it_is_given(rate: float) -> None:
    with pytest.raises(ValueError, match="rate"):
        WarneckeFirstOrder(rate=rate)
