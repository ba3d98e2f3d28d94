import pickle
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, SubsetRandomSampler, TensorDataset

from unlearners import (
    FineTune,
    NegGradPlus,
    UnlearnableForestClassifier,
    Unsupported,
    by_index,
    from_loaders,
    isolated,
    to_loaders,
)

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


def test_each_loader_has_its_batch_size() -> None:
    spy = Spy()
    method = from_loaders(spy, batch_size=(16, 8, 5))
    method(nn.Linear(1, 2), numbered(0, 60), numbered(100, 20), seed=3)
    assert spy.sizes == [16, 8, 5]
    for wrong in (0, (1,), (1, 0), (1, 2, 3, 4)):
        with pytest.raises(ValueError, match="batch_size"):
            from_loaders(spy, batch_size=wrong)


def test_nothing_is_held_out_of_a_function_that_takes_no_validation() -> None:
    seen: dict[str, Any] = {}

    def two(model: nn.Module, retain: Any, forget: Any, *, seed: int, num_classes: int, teacher: nn.Module) -> None:
        seen.update(
            retain=[int(i) for x, _ in retain for i in x], forget=[int(i) for x, _ in forget for i in x],
            seed=seed, num_classes=num_classes, teacher=teacher,
        )  # fmt: skip
        model.weight.data.zero_()

    model = nn.Linear(1, 2)
    from_loaders(two)(model, numbered(0, 50), numbered(100, 20), seed=3)
    assert (sorted(seen["retain"]), sorted(seen["forget"])) == (list(range(50)), list(range(100, 120)))
    assert (seen["seed"], seen["num_classes"]) == (3, 2)
    assert torch.equal(seen["teacher"].weight, model.weight)
    assert not seen["teacher"].training
    assert not any(p.requires_grad for p in seen["teacher"].parameters())
    with pytest.raises(ValueError, match="takes no validation loader"):
        from_loaders(two, validation_fraction=0.2)


def test_numbered_items_carry_their_place() -> None:
    found: dict[int, int] = {}

    def note(model: nn.Module, *loaders: DataLoader[Any]) -> None:
        for loader in loaders:
            for x, index, _ in loader:
                found.update(zip(index.tolist(), x[:, 0].int().tolist(), strict=True))

    from_loaders(note, numbered=True)(nn.Linear(1, 2), numbered(0, 50), numbered(100, 20), seed=3)
    assert found == {**{i: i for i in range(50)}, **{50 + i: 100 + i for i in range(20)}}


def test_a_plain_function_is_kept_from_leaving_traces(blobs: Blobs) -> None:
    def careless(model: nn.Module, retain: Any, forget: Any) -> None:
        model.train()
        for p in model.parameters():
            p.data.add_(torch.randn(p.shape) + random.random() + np.random.rand())  # noqa: NPY002
        model(forget[0][0][None]).sum().backward()

    model, retain, forget = nn.Sequential(nn.Linear(4, 3), nn.Dropout()).eval(), blobs(30, 0), blobs(9, 1)
    before, state = model[0].weight.detach().clone(), torch.get_rng_state()
    with torch.no_grad():
        one, same, other = (isolated(careless)(model, retain, forget, seed=s) for s in (1, 1, 2))
    assert torch.equal(model[0].weight, before)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(one[0].weight, same[0].weight)
    assert not torch.equal(one[0].weight, other[0].weight)
    assert not any(module.training for module in one.modules())
    assert one[0].weight.grad is None
    assert torch.equal(isolated(careless)(model, retain, [], seed=1)[0].weight, before)
    with pytest.raises(ValueError, match="forget the whole dataset"):
        isolated(careless)(model, [], forget, seed=1)
    with pytest.raises(Unsupported, match="must return a model or None, not int"):
        isolated(lambda model, retain, forget: 3)(model, retain, forget, seed=1)


def test_a_plain_function_may_take_the_seed_and_any_model() -> None:
    def remove(model: set[int], retain: Any, forget: Any, seed: int) -> set[int]:
        return {*model, seed} - {label for _, label in forget}

    assert isolated(remove)({1, 2}, [(0, 1)], [(0, 2)], seed=7) == {1, 7}

    class Uncopyable:
        def __deepcopy__(self, memo: Any) -> Any:
            raise RuntimeError("it holds a socket")

    with pytest.raises(Unsupported, match=r"Uncopyable cannot be copied \(it holds a socket\)"):
        isolated(remove)(Uncopyable(), [(0, 1)], [(0, 2)], seed=7)


def test_numbers_of_the_forget_examples_are_found_by_their_contents() -> None:
    x, y = torch.arange(6.0)[:, None].repeat(2, 1), torch.zeros(12, dtype=torch.long)
    dataset, asked = TensorDataset(x, y), []

    def note(model: list[int], indices: list[int]) -> list[int]:
        asked.append(indices)
        return [i for i in model if i not in indices]

    def part(rows: list[int]) -> TensorDataset:
        return TensorDataset(x[rows], y[rows])

    method = by_index(note, dataset)
    left = method([*range(12)], part([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]), part([10, 11]), seed=0)
    assert asked == [[10, 11]]
    # 3 is there twice, and once is asked for; then once more.
    left = method(left, part([0, 1, 2, 3, 4, 5, 6, 7, 8]), part([9]), seed=0)
    left = method(left, part([0, 1, 2, 4, 5, 6, 7, 8]), part([3]), seed=0)
    assert asked[1:] == [[9], [3]]
    assert sorted(left) == [0, 1, 2, 4, 5, 6, 7, 8]
    with pytest.raises(ValueError, match="holds an example that the dataset does not"):
        method(left, part([0]), TensorDataset(torch.full((1, 1), 99.0), y[:1]), seed=0)
    with pytest.raises(ValueError, match="holds an example that the dataset does not"):
        method(left, part([0]), part([3, 9, 3]), seed=0)


def test_a_model_that_cannot_be_copied_is_handed_over_as_it_is() -> None:
    rows = [(float(i), i % 2) for i in range(40)]
    forest = UnlearnableForestClassifier(2).fit([[x] for x, _ in rows], [y for _, y in rows])
    method = by_index(lambda model, indices: model.without(indices), rows, copy=False)
    left = method(forest, rows[:30], rows[30:], seed=0)
    assert left is not forest
    assert left.held()[0].tolist() == list(range(30))
