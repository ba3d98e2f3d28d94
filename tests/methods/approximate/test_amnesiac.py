import pickle
from collections.abc import Callable
from copy import deepcopy
from itertools import chain
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import ConcatDataset, Subset, TensorDataset

from pytest_unlearn.training.cache.module_tree import describe, named_tensors, rebuild
from unlearners import Unsupported
from unlearners.approximate.amnesiac import Amnesiac, LoggedModel

Blobs = Callable[..., TensorDataset]


def build() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3)).double()


def vector(model: nn.Module) -> Tensor:
    return torch.cat([p.reshape(-1) for p in model.parameters()]).detach()


def start(seed: int) -> Tensor:
    """The weights that training with this seed begins at."""
    torch.manual_seed(seed)
    return vector(build())


def without(dataset: TensorDataset, gone: list[int]) -> tuple[Subset[Any], Subset[Any]]:
    return Subset(dataset, [i for i in range(len(dataset)) if i not in gone]), Subset(dataset, gone)


def method(**settings: Any) -> Amnesiac:
    return Amnesiac(build, **{"epochs": 2, "lr": 0.05, "batch_size": 8, "repair_epochs": 0, **settings})


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("seed", range(3))
def test_the_weights_are_the_initial_ones_plus_the_log(seed: int, optimizer: str, blobs: Blobs) -> None:
    data = blobs(30, seed, dtype=torch.float64)
    model = method(optimizer=optimizer).train(data, seed=seed)
    assert len(model.updates) - 1 == len(model.members) == 2 * 4
    torch.testing.assert_close(vector(model), start(seed) + model.updates.sum(0), rtol=0, atol=1e-13)
    # After a request with repair too, which is the last row of the log.
    retain, forget = without(data, [0, 7])
    unlearned = method(optimizer=optimizer, repair_epochs=1)(model, retain, forget, seed=seed)
    torch.testing.assert_close(vector(unlearned), start(seed) + unlearned.updates.sum(0), rtol=0, atol=1e-13)
    assert not torch.equal(vector(unlearned), vector(model))


@pytest.mark.parametrize("seed", range(3))
def test_the_log_is_the_training_step_by_step(seed: int, blobs: Blobs) -> None:
    """Every example is once in each epoch, and each update is minus lr times the gradient on the batch it names."""
    data = blobs(20, seed, dtype=torch.float64)
    model = method(momentum=0.0, optimizer="sgd").train(data, seed=seed)
    assert all(sorted(chain(*model.members[i : i + 3])) == list(range(20)) for i in (0, 3))
    network, x, y = build(), *data.tensors
    theta = start(seed)
    for update, batch in zip(model.updates[:-1], model.members, strict=True):
        nn.utils.vector_to_parameters(theta, network.parameters())
        slope = torch.autograd.grad(nn.functional.cross_entropy(network(x[batch]), y[batch]), [*network.parameters()])
        expected = -0.05 * torch.cat([g.reshape(-1) for g in slope])
        torch.testing.assert_close(update, expected, rtol=0, atol=1e-12)
        theta = theta + update


def test_forgetting_one_batch_subtracts_the_updates_of_all_batches_with_its_members(blobs: Blobs) -> None:
    data = blobs(32, 0, dtype=torch.float64)
    one_epoch = method(epochs=1)
    model = one_epoch.train(data, seed=3)
    retain, forget = without(data, model.members[2])
    unlearned = one_epoch(model, retain, forget, seed=3)
    torch.testing.assert_close(vector(unlearned), vector(model) - model.updates[2], rtol=0, atol=1e-14)
    kept = torch.tensor([True, True, False, True, True])[:, None]
    assert torch.equal(unlearned.updates, model.updates * kept)

    model = method(epochs=3).train(data, seed=3)
    retain, forget = without(data, [5])
    unlearned = one_epoch(model, retain, forget, seed=3)
    rows = [i for i, batch in enumerate(model.members) if 5 in batch]
    assert len(rows) == 3
    torch.testing.assert_close(vector(unlearned), vector(model) - model.updates[rows].sum(0), rtol=0, atol=1e-14)


@pytest.mark.parametrize("repair_epochs", [0, 2])
def test_requests_that_follow_one_another_come_to_the_same_as_one_for_all(repair_epochs: int, blobs: Blobs) -> None:
    """No batch is taken back twice, though the second example was in a batch with the first, and no repair stays."""
    data = blobs(32, 0, dtype=torch.float64)
    unlearn = method(repair_epochs=repair_epochs)
    model = method().train(data, seed=3)
    first, second = model.members[0][:2]
    once = unlearn(model, *without(data, [first]), seed=4)
    twice = unlearn(once, without(data, [first, second])[0], Subset(data, [second]), seed=3)
    together = unlearn(model, *without(data, [first, second]), seed=3)
    torch.testing.assert_close(vector(twice), vector(together), rtol=0, atol=1e-12)
    torch.testing.assert_close(twice.updates, together.updates, rtol=0, atol=1e-12)
    assert (twice.members, twice.digests) == (together.members, together.digests)


def test_nothing_of_the_forgotten_stays_in_the_log(blobs: Blobs) -> None:
    data = blobs(32, 0, dtype=torch.float64)
    model = method().train(data, seed=3)
    unlearned = method(repair_epochs=1)(model, *without(data, [4, 9]), seed=3)
    for update, batch, old in zip(unlearned.updates[:-1], unlearned.members, model.members, strict=True):
        touched = not {4, 9}.isdisjoint(old)
        assert batch == ([] if touched else old)
        assert bool(update.any()) != touched
    names = set(unlearned.digests) - {""}
    assert names == set(model.digests) - {model.digests[4], model.digests[9]}
    with pytest.raises(ValueError, match="has already forgotten"):
        method()(unlearned, *without(data, [4]), seed=3)


def test_the_repair_trains_on_the_retain_set(blobs: Blobs) -> None:
    data = blobs(60, 0, dtype=torch.float64)
    model = method().train(data, seed=3)
    retain, forget = without(data, list(range(6)))
    x, y = data.tensors[0][6:], data.tensors[1][6:]
    bare, repaired = (method(repair_epochs=epochs)(model, retain, forget, seed=3) for epochs in (0, 2))
    loss = nn.functional.cross_entropy
    assert loss(repaired(x), y) < loss(bare(x), y) - 0.05
    assert torch.equal(repaired.updates[-1], vector(repaired) - vector(bare))


def test_equal_examples_are_one_example(blobs: Blobs) -> None:
    data = blobs(16, 0, dtype=torch.float64)
    doubled = ConcatDataset([data, data])
    model = method().train(doubled, seed=3)
    assert len(model.digests) == 16
    unlearned = method()(model, Subset(data, range(1, 16)), Subset(data, [0]), seed=3)
    rows = [i for i, batch in enumerate(model.members) if 0 in batch]
    assert len(rows) > 2
    torch.testing.assert_close(vector(unlearned), vector(model) - model.updates[rows].sum(0), rtol=0, atol=1e-13)


def test_an_example_that_was_never_trained_on_is_an_error(blobs: Blobs) -> None:
    data = blobs(20, 0, dtype=torch.float64)
    model = method().train(data, seed=3)
    with pytest.raises(ValueError, match="9 of the 9 examples to forget are not in the log of this model"):
        method()(model, data, blobs(9, 1, dtype=torch.float64), seed=3)
    flipped = TensorDataset(data.tensors[0][:1], data.tensors[1][:1] + 1)
    with pytest.raises(ValueError, match="1 of the 1 examples"):
        method()(model, data, flipped, seed=3)


def test_a_plain_network_is_refused_and_nothing_to_forget_changes_nothing(blobs: Blobs) -> None:
    data = blobs(20, 0, dtype=torch.float64)
    with pytest.raises(Unsupported, match=r"needs a model from its own train\(\).* not Sequential"):
        method()(build(), *without(data, [0]), seed=3)
    model = method().train(data, seed=3)
    unlearned = method(repair_epochs=3)(model, *without(data, []), seed=3)
    assert torch.equal(vector(unlearned), vector(model))
    assert torch.equal(unlearned.updates, model.updates)


def test_a_request_leaves_the_model_and_its_log_alone(blobs: Blobs) -> None:
    data = blobs(20, 0, dtype=torch.float64)
    model = method().train(data, seed=3)
    before = deepcopy(model)
    method(repair_epochs=1)(model, *without(data, [0]), seed=3)
    assert all(map(torch.equal, model.state_dict().values(), before.state_dict().values()))
    assert (model.members, model.digests) == (before.members, before.digests)


def test_the_log_travels_with_the_model(blobs: Blobs) -> None:
    data = blobs(20, 0, dtype=torch.float64)
    model = method().train(data, seed=3)
    tensors = {name: tensor.detach().clone() for name, tensor in named_tensors(model)}
    expected = method(repair_epochs=1)(model, *without(data, [0]), seed=3)
    for copy in (deepcopy(model), pickle.loads(pickle.dumps(model)), rebuild(describe(model), tensors)):
        assert isinstance(copy, LoggedModel)
        unlearned = method(repair_epochs=1)(copy, *without(data, [0]), seed=3)
        assert torch.equal(vector(unlearned), vector(expected))
    # The tensors of an unlearned model fit the model it came from.
    model.load_state_dict(expected.state_dict())
    assert torch.equal(vector(model), vector(expected))


def test_with_every_batch_taken_back_training_has_not_been(blobs: Blobs) -> None:
    data = blobs(20, 0, dtype=torch.float64)
    empty = method()(method().train(data, seed=3), *without(data, list(range(19))), seed=3)
    assert not empty.updates.any()
    torch.testing.assert_close(vector(empty), start(3), rtol=0, atol=1e-13)


def test_training_is_reproducible_and_private(blobs: Blobs) -> None:
    data = blobs(20, 0, dtype=torch.float64)
    state = torch.get_rng_state()
    first, again, other = (method().train(data, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(vector(first), vector(again))
    assert not torch.equal(vector(first), vector(other))


def test_layers_frozen_after_training_stay(blobs: Blobs) -> None:
    data = blobs(20, 0, dtype=torch.float64)
    model = method().train(data, seed=3)
    model.network[0].requires_grad_(False)
    unlearned = method(repair_epochs=1)(model, *without(data, [0]), seed=3)
    assert torch.equal(unlearned.network[0].weight, model.network[0].weight)
    assert not unlearned.network[0].weight.requires_grad
    assert not torch.equal(unlearned.network[2].weight, model.network[2].weight)


@pytest.mark.parametrize("lr", [1e3, 1e200])
def test_when_training_diverges_the_log_still_adds_up(lr: float, blobs: Blobs) -> None:
    def steep() -> nn.Module:
        return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3)).double()

    def upwards(z: Tensor, y: Tensor) -> Tensor:
        return -z[:, 0].pow(4).mean()

    diverging = Amnesiac(steep, epochs=200, lr=lr, optimizer="sgd", loss=upwards)
    data = blobs(20, 0, dtype=torch.float64)
    with pytest.warns(RuntimeWarning, match="Amnesiac diverged"):
        model = diverging.train(data, seed=3)
    torch.manual_seed(3)
    total = vector(steep()) + model.updates.sum(0)
    assert len(model.updates) == len(model.members) + 1
    torch.testing.assert_close(vector(model), total, rtol=1e-9, atol=1e-9)


def test_hyper_parameters_are_checked_where_they_are_given() -> None:
    with pytest.raises(ValueError, match="repair_epochs"):
        Amnesiac(build, repair_epochs=-1)
