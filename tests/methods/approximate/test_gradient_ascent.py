from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import Dataset, TensorDataset

from unlearners import GradientAscent

Blobs = Callable[..., TensorDataset]


def test_one_step_is_the_closed_form_and_retain_is_never_read(
    blobs: Blobs, unreadable: Dataset[tuple[Tensor, int]]
) -> None:
    """theta + lr * gradient of the mean cross-entropy, which for a linear model is (softmax - onehot)' X / n."""
    forget, model = blobs(9, 1, dtype=torch.float64), nn.Linear(4, 3).double()
    unlearned = GradientAscent(epochs=1, lr=0.3, batch_size=9)(model, unreadable, forget, seed=3)
    x, y = forget.tensors
    residual = (torch.softmax(model(x), 1) - torch.eye(3, dtype=x.dtype)[y]).detach() / 9
    torch.testing.assert_close(unlearned.weight, model.weight + 0.3 * residual.T @ x, rtol=0, atol=1e-12)
    torch.testing.assert_close(unlearned.bias, model.bias + 0.3 * residual.sum(0), rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_raises_the_forget_loss(seed: int, blobs: Blobs, unreadable: Dataset[tuple[Tensor, int]]) -> None:
    torch.manual_seed(seed)
    forget, model = blobs(30, seed), nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
    unlearned = GradientAscent(lr=0.01, batch_size=8)(model, unreadable, forget, seed=seed)
    x, y = forget.tensors
    assert cross_entropy(unlearned(x), y) > cross_entropy(model(x), y) + 0.01


@pytest.mark.parametrize("lr", [1e3, 1e20, 1e38])
def test_divergence_never_yields_weights_that_are_not_finite(
    lr: float, blobs: Blobs, unreadable: Dataset[tuple[Tensor, int]]
) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3))
    with pytest.warns(RuntimeWarning, match="GradientAscent diverged in epoch"):
        unlearned = GradientAscent(epochs=200, lr=lr)(model, unreadable, blobs(9, 1), seed=3)
    assert all(bool(p.isfinite().all()) for p in unlearned.parameters())
    # With the smallest of these some steps are taken first, and they are kept.
    assert lr > 1e3 or not torch.equal(unlearned[0].weight, model[0].weight)


def test_a_finite_loss_with_an_overflowing_step_is_undone(unreadable: Dataset[tuple[Tensor, int]]) -> None:
    model = nn.Linear(1, 2)
    nn.init.zeros_(model.weight)
    forget = TensorDataset(torch.tensor([[1e4]]), torch.tensor([0]))
    with pytest.warns(RuntimeWarning, match="epoch 1 of 1"):
        unlearned = GradientAscent(epochs=1, lr=3e38)(model, unreadable, forget, seed=3)
    assert all(map(torch.equal, unlearned.parameters(), model.parameters()))


def test_a_loss_that_is_not_finite_at_once_changes_nothing(unreadable: Dataset[tuple[Tensor, int]]) -> None:
    model = nn.Linear(1, 2)
    forget = TensorDataset(torch.tensor([[float("inf")]]), torch.tensor([0]))
    with pytest.warns(RuntimeWarning, match="epoch 1 of"):
        unlearned = GradientAscent()(model, unreadable, forget, seed=3)
    assert all(map(torch.equal, unlearned.parameters(), model.parameters()))
