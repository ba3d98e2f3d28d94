"""What the methods with a training of their own promise, all of them."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import Subset, TensorDataset

from pytest_unlearn.training.cache.module_tree import describe, rebuild
from unlearners._core.training import noise_number, seeded
from unlearners.exact.certified_newton import CertifiedNewton
from unlearners.exact.descent_to_delete import DescentToDelete
from unlearners.exact.sisa import SISA

Blobs = Callable[..., TensorDataset]


def recipe(dataset: Any, *, seed: int, start: nn.Module | None = None) -> nn.Module:
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)) if start is None else start
    x = torch.stack([x for x, _ in dataset])
    grads = torch.autograd.grad(model(x)[:, 0].square().sum(), list(model.parameters()))
    for weight, grad in zip(model.parameters(), grads, strict=True):
        weight.data -= 0.1 * grad
    return model


METHODS = {
    "sisa": SISA(recipe, shards=3, slices=2),
    "certified-newton": CertifiedNewton(),
    "descent-to-delete": DescentToDelete(),
}


def stored(model: nn.Module) -> nn.Module:
    structure = json.loads(json.dumps(describe(model)))
    return rebuild(structure, {name: tensor.clone() for name, tensor in model.state_dict().items()})


@pytest.fixture
def data(blobs: Blobs) -> TensorDataset:
    x, y = blobs(40, 0).tensors
    return TensorDataset(x / x.norm(dim=1).max(), y)


every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


def same(a: nn.Module, b: nn.Module) -> bool:
    return a.state_dict().keys() == b.state_dict().keys() and all(
        map(torch.equal, a.state_dict().values(), b.state_dict().values())
    )


@every_method
def test_a_stored_model_unlearns_as_if_it_had_not_been_stored(method: Any, data: TensorDataset) -> None:
    model = method.train(data, seed=0)
    for step in range(3):
        request = Subset(data, range(2 * step + 2, 40)), Subset(data, range(2 * step, 2 * step + 2))
        expected, model = method(model, *request, seed=step), method(stored(model), *request, seed=step)
        assert describe(model) == describe(expected)
        assert same(model, expected)


@every_method
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_trains_and_unlearns_where_gradients_are_off(method: Any, mode: Any, data: TensorDataset) -> None:
    request = Subset(data, range(2, 40)), Subset(data, range(2))
    model = method.train(data, seed=0)
    expected = method(model, *request, seed=1)
    with mode():
        inside = method.train(data, seed=0)
        assert same(inside, model)
        assert same(method(inside, *request, seed=1), expected)
    assert same(method(inside, *request, seed=1), expected)


@every_method
def test_training_leaves_the_global_state_alone_and_depends_on_the_seed_only(method: Any, data: TensorDataset) -> None:
    states = []
    for state in (1, 2):
        torch.manual_seed(state)
        before = torch.get_rng_state()
        states.append(method.train(data, seed=3))
        assert torch.equal(torch.get_rng_state(), before)
    assert same(*states)
    assert not same(states[0], method.train(data, seed=4))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", ["certified-newton", "descent-to-delete"])
def test_data_follow_the_model_to_its_device(name: str, data: TensorDataset) -> None:
    method, request = METHODS[name], (Subset(data, range(2, 40)), Subset(data, range(2)))
    model = method.train(data, seed=0)
    expected, moved = method(model, *request, seed=1), method(model.cuda(), *request, seed=1)
    for name, tensor in moved.state_dict().items():
        assert tensor.is_cuda
        torch.testing.assert_close(tensor.cpu(), expected.state_dict()[name].cpu())


@pytest.mark.parametrize("size", range(1, 65))
def test_draws_of_one_seed_have_no_number_in_common(size: int) -> None:
    """Published with reused noise, known differences would cancel it."""
    draws = torch.cat([noise_number(i, torch.Size([1, size]), seeded(0)) for i in range(6)]).flatten()
    assert len(draws.unique()) == 6 * size
    assert torch.equal(noise_number(3, torch.Size([1, size]), seeded(0)), draws[3 * size : 4 * size][None])
