import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import Dataset, TensorDataset

from unlearners import FineTune

Blobs = Callable[..., TensorDataset]


def model_of(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("seed", range(5))
def test_reduces_the_retain_loss_and_never_reads_forget(
    seed: int, optimizer: str, blobs: Blobs, unreadable: Dataset[tuple[Tensor, int]]
) -> None:
    retain, model = blobs(60, seed), model_of(seed)
    unlearned = FineTune(lr=0.01, optimizer=optimizer, batch_size=16)(model, retain, unreadable, seed=seed)
    x, y = retain.tensors
    assert cross_entropy(unlearned(x), y) < cross_entropy(model(x), y) - 0.01


@pytest.mark.parametrize("settings", [{"epochs": 0}, {"lr": 0.0}])
def test_no_training_is_no_change(
    settings: dict[str, float], blobs: Blobs, unreadable: Dataset[tuple[Tensor, int]]
) -> None:
    model = model_of(0)
    unlearned = FineTune(**settings)(model, blobs(60, 0), unreadable, seed=3)
    assert all(map(torch.equal, unlearned.parameters(), model.parameters()))


def test_cosine_schedule_takes_the_steps_of_its_formula(blobs: Blobs, unreadable: Dataset[tuple[Tensor, int]]) -> None:
    retain, model = blobs(12, 0, dtype=torch.float64), nn.Linear(4, 3).double()
    unlearned = FineTune(epochs=4, lr=0.5, momentum=0, weight_decay=0.1)(model, retain, unreadable, seed=3)
    weight, bias = (p.detach().clone() for p in model.parameters())
    x, y = retain.tensors
    for epoch in range(4):
        lr = 0.5 * (1 + math.cos(math.pi * epoch / 4)) / 2
        residual = (torch.softmax(x @ weight.T + bias, 1) - torch.eye(3, dtype=x.dtype)[y]) / len(y)
        weight, bias = (weight - lr * (residual.T @ x + 0.1 * weight), bias - lr * (residual.sum(0) + 0.1 * bias))
    torch.testing.assert_close(unlearned.weight, weight, rtol=0, atol=1e-12)
    torch.testing.assert_close(unlearned.bias, bias, rtol=0, atol=1e-12)


def test_every_example_is_visited_once_an_epoch(unreadable: Dataset[tuple[Tensor, int]]) -> None:
    seen: list[int] = []

    class Recorder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(1, 2)

        def forward(self, x: Tensor) -> Tensor:
            seen.extend(x.flatten().int().tolist())
            return self.linear(x)

    retain = TensorDataset(torch.arange(21.0)[:, None], torch.zeros(21, dtype=torch.long))
    FineTune(epochs=2, lr=1e-6, batch_size=4)(Recorder(), retain, unreadable, seed=3)
    first, second = seen[:21], seen[21:]
    assert sorted(first) == sorted(second) == list(range(21))
    assert first != second != list(range(21))


def test_divergence_is_stopped_and_said(blobs: Blobs, unreadable: Dataset[tuple[Tensor, int]]) -> None:
    with pytest.warns(RuntimeWarning, match="FineTune diverged in epoch"):
        unlearned = FineTune(lr=1e38)(model_of(0), blobs(60, 0), unreadable, seed=3)
    assert all(bool(p.isfinite().all()) for p in unlearned.parameters())
