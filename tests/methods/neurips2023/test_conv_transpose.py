from collections.abc import Callable
from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, TensorDataset

from tests.methods.neurips2023.digits import changed, mislabelled, network, outcome
from unlearners._core.isolation import Unsupported
from unlearners.approximate.fine_tune import FineTune
from unlearners.neurips2023.conv_transpose import ConvolutionTranspose, transpose_kernels

Blobs = Callable[..., TensorDataset]
Unread = Dataset[tuple[Tensor, int]]
seeds = pytest.mark.parametrize("seed", range(3))


@seeds
def test_kernels_swap_height_and_width_and_nothing_else_changes(seed: int, unreadable: Unread) -> None:
    model, retain, _ = mislabelled(seed)
    unlearned = ConvolutionTranspose(epochs=0)(model, retain, unreadable, seed=seed)
    assert changed(unlearned, model) == {"0.weight", "3.weight"}
    for i in (0, 3):
        assert torch.equal(unlearned[i].weight, model[i].weight.mT)


@seeds
def test_transposing_twice_is_the_identity(seed: int) -> None:
    model = network(seed)
    twice = deepcopy(model)
    for _ in range(2):
        transpose_kernels(twice)
    assert not changed(twice, model)


@seeds
def test_the_transposed_network_sees_the_transposed_image(seed: int) -> None:
    torch.manual_seed(seed)
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3, groups=2), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3),
    ).double()  # fmt: skip
    turned, x = deepcopy(model), torch.randn(5, 2, 9, 9, dtype=torch.float64)
    transpose_kernels(turned)
    torch.testing.assert_close(turned(x), model(x.mT), rtol=0, atol=1e-13)
    assert not torch.allclose(turned(x), model(x), atol=1e-3)


@seeds
def test_it_is_fine_tuning_from_the_transposed_network(seed: int, unreadable: Unread) -> None:
    model, retain, _ = mislabelled(seed)
    turned = deepcopy(model)
    transpose_kernels(turned)
    ours = ConvolutionTranspose(lr=0.01)(model, retain, unreadable, seed=seed)
    theirs = FineTune(epochs=3, lr=0.01, batch_size=64)(turned, retain, unreadable, seed=seed)
    assert not changed(ours, theirs)


def test_only_square_kernels_that_are_not_frozen_are_transposed() -> None:
    model = nn.Sequential(
        nn.Conv2d(2, 2, (1, 3)), nn.Conv2d(2, 2, 1), nn.Conv2d(2, 2, 2), nn.Conv2d(2, 2, 2).requires_grad_(False),
        nn.Conv1d(2, 2, 3), nn.Conv3d(2, 2, (2, 3, 3)), nn.ConvTranspose2d(2, 2, 2), nn.Linear(2, 2),
    )  # fmt: skip
    turned = deepcopy(model)
    transpose_kernels(turned)
    assert changed(turned, model) == {"2.weight", "5.weight", "6.weight"}
    assert torch.equal(turned[5].weight, model[5].weight.transpose(3, 4))


def test_a_shared_kernel_is_transposed_once() -> None:
    model = nn.Sequential(nn.Conv2d(2, 2, 3), nn.Conv2d(2, 2, 3))
    model[1].weight = model[0].weight
    kernel = model[0].weight.detach().clone()
    transpose_kernels(model)
    assert torch.equal(model[1].weight, kernel.mT)


def test_a_network_without_square_kernels_is_refused(blobs: Blobs, unreadable: Unread) -> None:
    with pytest.raises(
        Unsupported, match="needs convolutions with square kernels of at least 2x2; this model has none"
    ):
        ConvolutionTranspose()(nn.Linear(4, 3), blobs(30, 0), unreadable, seed=3)
    pixelwise = nn.Sequential(nn.Conv2d(1, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10))
    with pytest.raises(Unsupported, match="this model has none"):
        ConvolutionTranspose()(pixelwise, mislabelled(0)[1], unreadable, seed=3)
    model, retain, _ = mislabelled(0)
    frozen = deepcopy(model)
    frozen[0].requires_grad_(False)
    frozen[3].requires_grad_(False)
    with pytest.raises(Unsupported, match="this model has only frozen ones"):
        ConvolutionTranspose()(frozen, retain, unreadable, seed=3)


def test_memorised_labels_are_forgotten_and_the_rest_is_kept() -> None:
    kept, gone = outcome(ConvolutionTranspose(lr=0.05, epochs=5, batch_size=32))
    assert kept > 0.9
    assert gone < 0.35
