from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import SGDClassifier
from torch import nn
from torch.utils.data import Dataset, TensorDataset

from unlearners import Retrain


def train(dataset: Any, *, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    model = nn.Linear(4, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = dataset.tensors
    for _ in range(5):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    return model


def fit(dataset: Any, *, seed: int) -> SGDClassifier:
    x, y = (t.numpy() for t in dataset.tensors)
    return SGDClassifier(random_state=seed).fit(x, y)


def test_is_the_recipe_on_retain_bit_for_bit(
    blobs: Callable[..., TensorDataset], unreadable: Dataset[tuple[torch.Tensor, int]]
) -> None:
    retain = blobs(30, 0)
    unlearned, expected = Retrain(train)(None, retain, unreadable, seed=3), train(retain, seed=3)
    assert torch.equal(unlearned.weight, expected.weight)
    assert torch.equal(unlearned.bias, expected.bias)


def test_works_for_scikit_learn(
    blobs: Callable[..., TensorDataset], unreadable: Dataset[tuple[torch.Tensor, int]]
) -> None:
    retain = blobs(30, 0)
    unlearned = Retrain(fit)(fit(blobs(30, 1), seed=0), retain, unreadable, seed=3)
    np.testing.assert_array_equal(unlearned.coef_, fit(retain, seed=3).coef_)
