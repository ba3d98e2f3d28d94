from collections.abc import Callable
from copy import deepcopy

import pytest
import torch
from scipy.stats import entropy as scipy_entropy
from torch import Tensor, nn
from torch.distributions import Categorical
from torch.nn.functional import cross_entropy
from torch.utils.data import Dataset, TensorDataset

from tests.methods.closed_forms import linear
from tests.methods.neurips2023.digits import changed, mislabelled, outcome
from unlearners._core.isolation import Unsupported, isolated
from unlearners.neurips2023.prmq import PRMQ, entropy, prune_and_redraw, round_to_half

Blobs = Callable[..., TensorDataset]
Unread = Dataset[tuple[Tensor, int]]
seeds = pytest.mark.parametrize("seed", range(3))
PRUNED = ("0.weight", "0.bias", "3.weight", "3.bias", "7.weight", "7.bias")


def flat(model: nn.Module) -> Tensor:
    return torch.cat([model.get_parameter(name).detach().flatten() for name in PRUNED])


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99, 1.0])
@seeds
def test_all_but_the_largest_parameters_are_drawn_anew(seed: int, share: float) -> None:
    model, _, _ = mislabelled(seed)
    pruned = deepcopy(model)
    with isolated(seed):
        prune_and_redraw(pruned, share)
    before, after = flat(model), flat(pruned)
    keep = torch.zeros(len(before), dtype=torch.bool)
    keep[before.abs().argsort(descending=True)[: len(before) - round(share * len(before))]] = True
    assert torch.equal(after == before, keep)
    assert changed(pruned, model) <= set(PRUNED)


def test_the_method_prunes_99_percent(unreadable: Unread) -> None:
    model, retain, _ = mislabelled(0)
    kept = (flat(PRMQ(epochs=0)(model, retain, unreadable, seed=3)) == flat(model).half().float()).double().mean()
    assert kept.item() == pytest.approx(0.01, abs=0.001)


@seeds
def test_new_weights_are_uniform_by_fan_in_and_new_biases_zero(seed: int) -> None:
    model = nn.Sequential(nn.Conv2d(3, 50, 5), nn.Flatten(), nn.Linear(50, 200))
    with isolated(seed):
        prune_and_redraw(model, 1.0)
    for layer, fan_in in ((model[0], 75), (model[2], 50)):
        scaled = layer.weight.detach() * fan_in**0.5
        assert scaled.abs().max() <= 1
        assert scaled.mean().item() == pytest.approx(0, abs=0.04)
        assert scaled.square().mean().item() == pytest.approx(1 / 3, abs=0.02)
        assert not layer.bias.any()


@pytest.mark.parametrize("share", [0.0, 0.6])
@seeds
def test_a_step_is_one_of_weighted_cross_entropy_and_of_the_entropy_difference(
    seed: int, share: float, blobs: Blobs, unreadable: Unread
) -> None:
    x, y = blobs(30, seed, dtype=torch.float64).tensors
    y = y.clamp(max=1) + (torch.arange(30) == 2)  # 10, 19 and 1 examples
    model = linear(seed)
    with torch.no_grad():
        model.weight.mul_(4)
    unlearned = PRMQ(epochs=1, lr=2.0, share=share, weight_decay=0.1)(model, TensorDataset(x, y), unreadable, seed=seed)
    start = deepcopy(model)
    with isolated(seed):
        prune_and_redraw(start, share)
    weights = torch.tensor([10.0, 19, 1], dtype=torch.float64) ** -0.1
    certainty = Categorical(logits=start(x)).entropy() - Categorical(logits=model(x).detach()).entropy()
    loss = cross_entropy(start(x), y, weight=weights) + certainty.square().mean()
    slopes = torch.autograd.grad(loss, list(start.parameters()))
    for new, old, slope in zip(unlearned.parameters(), start.parameters(), slopes, strict=True):
        assert torch.equal(new, (old - 2.0 * (slope + 0.1 * old)).half().double())


@seeds
def test_the_entropy_is_that_of_the_softmax(seed: int) -> None:
    z = torch.randn(6, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    expected = torch.tensor(scipy_entropy(torch.softmax(z, 1), axis=1))
    torch.testing.assert_close(entropy(z), expected, rtol=0, atol=1e-13)
    pair = torch.stack([torch.zeros(6, dtype=torch.float64), z[:, 0]], 1)
    torch.testing.assert_close(entropy(z[:, 0]), entropy(pair), rtol=0, atol=0)


@seeds
def test_the_result_fits_into_half_precision_and_keeps_its_dtype(seed: int, unreadable: Unread) -> None:
    model, retain, _ = mislabelled(seed)
    unlearned = PRMQ(epochs=1)(model, retain, unreadable, seed=seed)
    for name, tensor in unlearned.state_dict().items():
        assert tensor.dtype == model.state_dict()[name].dtype
        if tensor.is_floating_point():
            assert torch.equal(tensor.half().float(), tensor)


def test_what_half_cannot_hold_and_what_is_frozen_is_not_rounded() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2), nn.BatchNorm1d(2))
    for layer in model[1:]:
        layer.requires_grad_(False).eval()
    model[2].running_mean.fill_(0.1)
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1e6, -1e6], [0.1, 1.0]]))
    kept = model[1].weight.clone()
    round_to_half(model)
    rounded = torch.tensor(0.1).half().float()
    assert torch.equal(model[0].weight, torch.tensor([[1e6, -1e6], [rounded, 1.0]]))
    assert rounded != 0.1
    assert torch.equal(model[1].weight, kept)
    assert torch.equal(model[2].running_mean, torch.full((2,), 0.1))


def test_memorised_labels_are_forgotten_and_the_rest_is_kept() -> None:
    kept, gone = outcome(PRMQ(lr=0.03, epochs=8, batch_size=32))
    assert kept > 0.9
    assert gone < 0.35


def test_a_model_without_layers_to_prune_is_refused(unreadable: Unread) -> None:
    model = nn.Sequential(nn.Embedding(5, 3), nn.LayerNorm(3))
    with pytest.raises(Unsupported, match="PRMQ prunes convolutional, linear or recurrent layers"):
        PRMQ()(model, TensorDataset(torch.arange(5), torch.arange(5) % 3), unreadable, seed=3)


@pytest.mark.parametrize(("field", "value"), [("share", 1.1), ("share", float("nan")), ("class_power", -0.1)])
def test_hyper_parameters_are_checked(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field):
        PRMQ(**{field: value})
