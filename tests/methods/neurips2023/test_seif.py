import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import Dataset, TensorDataset

from tests.methods.closed_forms import linear
from tests.methods.neurips2023.digits import changed, mislabelled, network, outcome
from unlearners.neurips2023.seif import Seif

Blobs = Callable[..., TensorDataset]
Unread = Dataset[tuple[Tensor, int]]
seeds = pytest.mark.parametrize("seed", range(3))


@pytest.mark.parametrize(("noisy", "names"), [("first", {"0.weight"}), ("all", {"0.weight", "3.weight"})])
@seeds
def test_only_convolution_kernels_get_noise(seed: int, noisy: Any, names: set[str], unreadable: Unread) -> None:
    model, retain, _ = mislabelled(seed)
    assert changed(Seif(epochs=0, noisy=noisy)(model, retain, unreadable, seed=seed), model) == names


@pytest.mark.parametrize("std", [0.6, 0.02])
@seeds
def test_the_noise_is_gaussian_of_the_given_width(seed: int, std: float, blobs: Blobs, unreadable: Unread) -> None:
    model = nn.Sequential(nn.Linear(4, 5000), nn.ReLU(), nn.Linear(5000, 3))
    unlearned = Seif(epochs=0, std=std, noisy="all")(model, blobs(30, 0), unreadable, seed=seed)
    assert changed(unlearned, model) == {"0.weight"}
    noise = (unlearned[0].weight - model[0].weight).detach() / std
    assert noise.std().item() == pytest.approx(1, abs=0.02)
    assert noise.mean().item() == pytest.approx(0, abs=0.03)
    assert (noise.abs() < 1).double().mean().item() == pytest.approx(math.erf(0.5**0.5), abs=0.02)


class Watched(nn.Module):
    """Keeps the weights it had at each step."""

    history: list[Tensor] = []  # noqa: RUF012 - of the class, so that copies share it

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 500)
        Watched.history = []

    def forward(self, x: Tensor) -> Tensor:
        Watched.history.append(self.linear.weight.detach().clone())
        logits: Tensor = self.linear(x)
        return logits


@pytest.mark.parametrize("epochs", [1, 2, 4])
def test_a_little_noise_comes_before_the_last_of_several_epochs(epochs: int, blobs: Blobs, unreadable: Unread) -> None:
    Seif(epochs=epochs, lr=0, last_std=0.05, batch_size=15)(Watched(), blobs(30, 0), unreadable, seed=3)
    first, history = Watched.history[0], Watched.history
    assert len(history) == 2 * epochs
    assert all(torch.equal(weight, first) for weight in history[: max(1, 2 * (epochs - 1))])
    assert torch.equal(history[-2], history[-1])
    assert (history[-1] - first).std().item() == pytest.approx(0.05 if epochs > 1 else 0.0, rel=0.1)


@pytest.mark.parametrize("given", [None, (1.0, 0.05, 0.05)])
@seeds
def test_a_step_is_one_of_weighted_cross_entropy(
    seed: int, given: tuple[float, ...] | None, blobs: Blobs, unreadable: Unread
) -> None:
    x, y = blobs(30, seed, dtype=torch.float64).tensors
    y = y.clamp(max=1) + (torch.arange(30) == 2)  # 10, 19 and 1 examples
    model = linear(seed)
    method = Seif(epochs=1, lr=0.5, std=0.0, weight_decay=0.1, class_weights=given)
    unlearned = method(model, TensorDataset(x, y), unreadable, seed=seed)
    weights = torch.tensor(given or (1 / 10, 1 / 19, 1.0), dtype=torch.float64)
    slopes = torch.autograd.grad(cross_entropy(model(x), y, weight=weights), list(model.parameters()))
    for new, old, slope in zip(unlearned.parameters(), model.parameters(), slopes, strict=True):
        torch.testing.assert_close(new, old - 0.5 * (slope + 0.1 * old), rtol=0, atol=1e-12)


def test_memorised_labels_are_forgotten_and_the_rest_is_kept() -> None:
    for method in (
        Seif(lr=0.05, epochs=8, batch_size=32),
        Seif(lr=0.03, epochs=6, batch_size=32, noisy="all", std=0.3),
    ):
        kept, gone = outcome(method)
        assert kept > 0.9
        assert gone < 0.35


def test_a_class_without_a_weight_is_an_error(unreadable: Unread) -> None:
    with pytest.raises(ValueError, match=r"class_weights has 2 weights, and there is a label 9\."):
        Seif(class_weights=(1.0, 2.0))(network(0), mislabelled(0)[1], unreadable, seed=3)


@pytest.mark.parametrize(
    ("field", "value"), [("std", -1.0), ("last_std", math.nan), ("noisy", "some"), ("class_weights", (1.0, 0.0))]
)
def test_hyper_parameters_are_checked(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=field):
        Seif(**{field: value})
