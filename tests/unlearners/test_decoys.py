from collections.abc import Callable

import numpy as np
import torch
from sklearn.naive_bayes import GaussianNB
from torch import Tensor, nn
from torch.utils.data import Dataset, TensorDataset

from unlearners import NoOp


def test_is_bit_equal_and_independent(unreadable: Dataset[tuple[Tensor, int]]) -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 3))
    copy = NoOp()(model, unreadable, unreadable, seed=3)
    for name, tensor in model.state_dict().items():
        assert torch.equal(copy.state_dict()[name], tensor)
        assert copy.state_dict()[name].data_ptr() != tensor.data_ptr()
    before = model[0].weight.detach().clone()
    with torch.no_grad():
        copy[0].weight.add_(1)
    assert torch.equal(model[0].weight, before)


def test_copies_any_model(blobs: Callable[..., TensorDataset], unreadable: Dataset[tuple[Tensor, int]]) -> None:
    model = GaussianNB().fit(*(t.numpy() for t in blobs(30, 0).tensors))
    copy = NoOp()(model, unreadable, unreadable, seed=3)
    assert copy is not model
    np.testing.assert_array_equal(copy.theta_, model.theta_)
    assert not np.shares_memory(copy.theta_, model.theta_)
