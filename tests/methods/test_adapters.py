import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, SubsetRandomSampler, TensorDataset

from unlearners import FineTune, NegGradPlus, Unsupported, from_loaders
from unlearners.adapters import to_loaders

Blobs = Callable[..., TensorDataset]


class Spy:
    """A method in the challenge's signature that notes what it was given."""

    def __init__(self, result: Any = None) -> None:
        self.result = result
        self.model: nn.Module | None = None
        self.loaders: list[list[int]] = []
        self.sizes: list[int] = []

    def __call__(self, model: nn.Module, *loaders: DataLoader[Any]) -> Any:
        self.model = model
        self.loaders = [[int(i) for x, _ in loader for i in x[:, 0]] for loader in loaders]
        self.sizes = [max(len(y) for _, y in loader) for loader in loaders]
        return self.result


def numbered(first: int, n: int) -> TensorDataset:
    return TensorDataset(torch.arange(first, first + n).float()[:, None], torch.zeros(n, dtype=torch.long))


def test_validation_is_carved_out_of_retain_and_nothing_else() -> None:
    spy = Spy()
    from_loaders(spy, validation_fraction=0.2, batch_size=16)(
        nn.Linear(1, 2), numbered(0, 50), numbered(100, 20), seed=3
    )
    retain, forget, validation = spy.loaders
    assert len(validation) == 10
    assert set(retain).isdisjoint(validation)
    assert sorted(retain + validation) == list(range(50))
    assert sorted(forget) == list(range(100, 120))
    assert spy.sizes == [16, 16, 10]


def test_the_seed_decides_split_and_order() -> None:
    def loaders(seed: int) -> list[list[int]]:
        spy = Spy()
        from_loaders(spy)(nn.Linear(1, 2), numbered(0, 50), numbered(100, 20), seed=seed)
        return spy.loaders

    assert loaders(3) == loaders(3)
    assert all(map(list.__ne__, loaders(3), loaders(4)))
    assert sorted(loaders(3)[2]) != sorted(loaders(4)[2])


def test_in_place_and_returned_models_both_count() -> None:
    model, other = nn.Linear(1, 2), nn.Linear(1, 2)
    in_place, returning = Spy(), Spy(other)
    arguments = (model, numbered(0, 50), numbered(100, 20))
    assert from_loaders(in_place)(*arguments, seed=3) is in_place.model is not model
    assert from_loaders(returning)(*arguments, seed=3) is other
    with pytest.raises(Unsupported, match="must return a model or None, not dict"):
        from_loaders(Spy({}))(*arguments, seed=3)


@pytest.mark.parametrize("n", [2, 3, 5])
def test_a_small_retain_set_still_has_both_parts(n: int) -> None:
    for fraction in (0.01, 0.99):
        spy = Spy()
        from_loaders(spy, validation_fraction=fraction)(nn.Linear(1, 2), numbered(0, n), numbered(9, 1), seed=3)
        retain, _, validation = spy.loaders
        assert retain
        assert validation
        assert sorted(retain + validation) == list(range(n))


@pytest.mark.parametrize("fraction", [0.0, 1.0, -1.0, float("nan")])
def test_a_fraction_is_a_fraction(fraction: float) -> None:
    with pytest.raises(ValueError, match="validation_fraction"):
        from_loaders(print, validation_fraction=fraction)


def test_one_retain_example_cannot_be_split() -> None:
    with pytest.raises(ValueError, match="too small to give a validation set"):
        from_loaders(Spy())(nn.Linear(1, 2), numbered(0, 1), numbered(9, 1), seed=3)


def test_travels_to_worker_processes() -> None:
    method = from_loaders(print, batch_size=8)
    assert pickle.loads(pickle.dumps(method)) == method


def test_back_and_forth_an_unlearner_gives_the_same_model(blobs: Blobs) -> None:
    retain, forget, model = blobs(30, 0), blobs(9, 1), nn.Linear(4, 3)
    function = to_loaders(NegGradPlus(lr=0.1), seed=3)
    unlearned = function(model, DataLoader(retain, 8), DataLoader(forget, 8), DataLoader(retain, 8))
    direct = NegGradPlus(lr=0.1)(model, retain, forget, seed=3)
    assert torch.equal(unlearned.weight, direct.weight)
    assert not torch.equal(unlearned.weight, model.weight)
    again = from_loaders(function)(model, retain, forget, seed=3)
    assert not torch.equal(again.weight, model.weight)


def test_back_reads_what_the_loaders_give_and_no_more(blobs: Blobs) -> None:
    """A sampler that leaves the forget set out of a loader on all data is respected; validation is not read."""
    everything, model = blobs(30, 0), nn.Linear(4, 3)

    class Unread:
        def __iter__(self) -> Any:
            raise AssertionError("the validation loader must not be read")

    loader = DataLoader(everything, 7, sampler=SubsetRandomSampler(range(21)))
    seen: list[int] = []

    def spy(model: nn.Module, retain: Any, forget: Any, *, seed: int) -> nn.Module:
        seen.extend(int((everything.tensors[0] == x).all(1).nonzero()) for x, _ in retain)
        return FineTune()(model, retain, forget, seed=seed)

    to_loaders(spy)(model, loader, DataLoader(blobs(9, 1), 4), Unread())
    assert sorted(seen) == list(range(21))
