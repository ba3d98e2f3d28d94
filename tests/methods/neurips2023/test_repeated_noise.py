import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, TensorDataset

from tests.methods.closed_forms import gradients, linear, parts
from tests.methods.neurips2023.digits import changed, outcome
from unlearners._core.isolation import Unsupported
from unlearners.approximate.fine_tune import FineTune
from unlearners.neurips2023.repeated_noise import RepeatedNoise

Blobs = Callable[..., TensorDataset]
Unread = Dataset[tuple[Tensor, int]]
seeds = pytest.mark.parametrize("seed", range(3))
NORM = {"1.weight", "1.bias"}


def network(seed: int) -> nn.Module:
    """Twelve tensors, ten of them not of the normalisation layer."""
    torch.manual_seed(seed)
    tanh = [part for _ in range(3) for part in (nn.Linear(60, 60), nn.Tanh())]
    return nn.Sequential(nn.Linear(4, 60), nn.LayerNorm(60), *tanh, nn.Linear(60, 3))


def after(rounds: int, model: nn.Module, retain: TensorDataset, forget: Any, seed: int, **settings: Any) -> nn.Module:
    """The model after so many noisy rounds: a run with one more takes the same steps and then goes on."""
    return RepeatedNoise(epochs=rounds, last_rates=(), **settings)(model, retain, forget, seed=seed)


@seeds
def test_the_last_layer_is_new_and_nothing_else(seed: int, blobs: Blobs, unreadable: Unread) -> None:
    model = network(seed)
    assert changed(after(0, model, blobs(30, 0), unreadable, seed), model) == {"8.weight", "8.bias"}


@pytest.mark.parametrize("tensors", [1, 3, 9, None])
@seeds
def test_only_the_picked_tensors_and_normalisation_are_trained(
    seed: int, tensors: int | None, blobs: Blobs, unreadable: Unread
) -> None:
    model, retain = network(seed), blobs(30, 0)
    settings = {"tensors": tensors} if tensors else {}
    states = [after(k, model, retain, unreadable, seed, **settings, lr=0.05, std=0.0) for k in range(4)]
    picks = [changed(new, old) for new, old in zip(states[1:], states, strict=False)]
    assert all(pick >= NORM for pick in picks)
    assert [len(pick - NORM) for pick in picks] == [tensors or 9] * 3
    assert tensors in (9, None) or picks[0] != picks[1] or picks[1] != picks[2]


@seeds
def test_most_of_the_picked_tensors_get_noise_but_none_in_the_first_round(
    seed: int, blobs: Blobs, unreadable: Unread
) -> None:
    model, retain = network(seed), blobs(30, 0)
    states = [after(k, model, retain, unreadable, seed, tensors=100, lr=0.0) for k in range(4)]
    assert not changed(states[1], states[0])
    for new, old in zip(states[2:], states[1:], strict=False):
        noisy = changed(new, old)
        assert len(noisy) == 7
        assert not noisy & NORM
        noise = torch.cat([(new.get_parameter(n) - old.get_parameter(n)).detach().flatten() for n in noisy])
        assert noise.std().item() == pytest.approx(0.04, rel=0.05)
        assert noise.mean().item() == pytest.approx(0, abs=0.002)


@pytest.mark.parametrize(("tensors", "share", "most"), [(9, 0.7, 6), (4, 0.5, 2), (5, 0.0, 0)])
@seeds
def test_a_tensor_that_was_picked_gets_no_noise_until_all_were(
    seed: int, tensors: int, share: float, most: int, blobs: Blobs, unreadable: Unread
) -> None:
    model, retain, rounds = network(seed), blobs(30, 0), 8
    settings = {"tensors": tensors, "share": share}
    trained = [after(k, model, retain, unreadable, seed, lr=0.05, std=0.0, **settings) for k in range(rounds + 1)]
    shaken = [after(k, model, retain, unreadable, seed, lr=0.0, **settings) for k in range(rounds + 1)]
    before: set[str] = set()
    total = 0
    for i in range(rounds):
        picked, noisy = changed(trained[i + 1], trained[i]) - NORM, changed(shaken[i + 1], shaken[i])
        assert noisy <= picked - before
        assert len(noisy) <= (most if i else 0)
        total += len(noisy)
        before |= picked
        before = set() if len(before) == 10 else before
    assert (total > 0) == (most > 0)


@pytest.mark.parametrize("seed", range(3))
def test_at_the_end_everything_is_fine_tuned(seed: int, blobs: Blobs, unreadable: Unread) -> None:
    model, retain = network(seed), blobs(30, 0)
    start = after(0, model, retain, unreadable, seed)
    ours = RepeatedNoise(epochs=0, last_rates=(0.05,), batch_size=8)(model, retain, unreadable, seed=seed)
    theirs = FineTune(epochs=1, lr=0.05, batch_size=8)(start, retain, unreadable, seed=seed)
    assert not changed(ours, theirs)
    assert len(changed(ours, start)) == 12


def test_each_last_epoch_has_its_rate_and_no_momentum_from_before(blobs: Blobs, unreadable: Unread) -> None:
    retain, model = blobs(30, 0, dtype=torch.float64), linear(0)
    start = after(0, model, retain, unreadable, 3)
    unlearned = RepeatedNoise(epochs=0, last_rates=(0.5, 0.1, 0.3), weight_decay=0.1)(model, retain, unreadable, seed=3)
    weights = list(parts(start))
    for rate in (0.5, 0.1, 0.3):
        slopes = gradients(*weights, *retain.tensors)
        weights = [w - rate * (g + 0.1 * w) for w, g in zip(weights, slopes, strict=True)]
    torch.testing.assert_close(unlearned.weight, weights[0], rtol=0, atol=1e-12)
    torch.testing.assert_close(unlearned.bias, weights[1], rtol=0, atol=1e-12)


def test_memorised_labels_are_forgotten_and_the_rest_is_kept() -> None:
    kept, gone = outcome(RepeatedNoise(lr=0.05, last_rates=(0.05,) * 4, std=0.2, batch_size=32))
    assert kept > 0.9
    assert gone < 0.35


def test_a_network_that_does_not_end_in_a_linear_layer_is_refused(blobs: Blobs, unreadable: Unread) -> None:
    with pytest.raises(Unsupported, match="RepeatedNoise needs a network that ends in an nn.Linear"):
        RepeatedNoise()(nn.Sequential(nn.Linear(4, 3), nn.Tanh()), blobs(30, 0), unreadable, seed=3)


@pytest.mark.parametrize(
    ("field", "value"),
    [("schedule", "cosine"), ("last_rates", (0.1, math.nan)), ("tensors", 0), ("share", 1.1), ("std", -1.0)],
)
def test_hyper_parameters_are_checked(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=field):
        RepeatedNoise(**{field: value})
