import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from tests.methods.neurips2023.digits import network, outcome
from unlearners._core.isolation import Unsupported
from unlearners._core.training import loss_of
from unlearners.approximate.fine_tune import FineTune
from unlearners.neurips2023.shared import add_noise, class_weighted, frequency_weights, main_weights


class Reader(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.lstm, self.head = nn.Embedding(5, 4), nn.LSTM(4, 6, batch_first=True), nn.Linear(6, 3)


def names(model: nn.Module) -> list[str]:
    known = {id(p): name for name, p in model.named_parameters()}
    return [known[id(w)] for w in main_weights(model, "Method")]


def test_main_weights_are_the_convolution_kernels() -> None:
    assert names(network(0)) == ["0.weight", "3.weight"]


def test_without_convolutions_they_are_the_matrices_of_all_layers_but_the_last() -> None:
    assert names(nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.Linear(8, 8), nn.Linear(8, 3))) == [
        "0.weight",
        "2.weight",
    ]
    assert names(Reader()) == ["lstm.weight_ih_l0", "lstm.weight_hh_l0"]
    assert names(nn.Linear(4, 3)) == ["weight"]


def test_frozen_weights_are_not_among_them() -> None:
    model = network(0)
    model[0].requires_grad_(False)
    assert names(model) == ["3.weight"]
    model[3].requires_grad_(False)
    assert names(model) == ["7.weight"]


def test_a_shared_kernel_is_counted_once() -> None:
    model = nn.Sequential(nn.Conv2d(2, 2, 3), nn.Conv2d(2, 2, 3))
    model[1].weight = model[0].weight
    assert names(model) == ["0.weight"]


def test_a_model_without_such_layers_is_refused() -> None:
    with pytest.raises(Unsupported, match="Method erases weights of convolutional, linear or recurrent layers"):
        main_weights(nn.Sequential(nn.Embedding(5, 3), nn.LayerNorm(3)), "Method")
    with pytest.raises(Unsupported, match="every parameter of the model is frozen"):
        main_weights(network(0).requires_grad_(False), "Method")


@pytest.mark.parametrize("seed", range(3))
def test_the_weighted_loss_is_the_one_of_torch(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(20, 4, generator=generator, dtype=torch.float64)
    y = torch.tensor([0] * 11 + [1] * 2 + [3] * 7)
    for power in (0.0, 0.1, 1.0):
        ours = class_weighted(loss_of, frequency_weights(y, power))(z, y)
        theirs = cross_entropy(z, y, weight=torch.tensor([11.0, 2, 1, 7], dtype=torch.float64) ** -power)
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-13)


def test_noise_is_independent_gaussian() -> None:
    torch.manual_seed(0)
    weights = [torch.ones(300, 300), torch.ones(300, 300)]
    add_noise(weights, 0.3)
    one, other = (w - 1 for w in weights)
    for noise in (one, other):
        assert abs(noise.std().item() - 0.3) < 0.005
        assert abs(noise.mean().item()) < 0.005
    assert abs((one * other).mean().item()) < 0.002


def test_the_digits_tell_forgetting_from_fine_tuning() -> None:
    for settings in ({"lr": 0.02, "epochs": 5}, {"lr": 0.03, "epochs": 8}):
        kept, gone = outcome(FineTune(**settings, batch_size=32))
        assert kept > 0.9
        assert gone > 0.35
