import math
import pickle
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from itertools import chain
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import ConcatDataset, DataLoader, Subset, TensorDataset

from unlearners import Unsupported
from unlearners.exact.sisa import SISA
from unlearners.exact.sisa_ensemble import Checkpoint, log_mean_softmax, log_votes

Blobs = Callable[..., TensorDataset]


def recipe(dataset: Any, *, seed: int, start: nn.Module | None = None, outputs: int = 3) -> nn.Module:
    """Depends on everything it may: order, the global seed (dropout), modes, frozen layers and buffers."""
    if start is None:
        start = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Dropout(0.3), nn.ReLU(), nn.Linear(6, outputs))
        start[0].requires_grad_(False)
    optimizer = torch.optim.SGD([p for p in start.parameters() if p.requires_grad], lr=0.2, momentum=0.9)
    for x, y in DataLoader(dataset, batch_size=len(dataset)):
        for _ in range(3):
            optimizer.zero_grad()
            logits = start(x)
            loss = cross_entropy(logits if outputs > 1 else torch.cat([torch.zeros_like(logits), logits], 1), y)
            loss.backward()
            optimizer.step()
    return start


def tensors(model: nn.Module) -> list[Tensor]:
    return [*model.parameters(), *model.buffers()]


def same(a: nn.Module, b: nn.Module) -> bool:
    return len(tensors(a)) == len(tensors(b)) and all(map(torch.equal, tensors(a), tensors(b)))


def without(dataset: TensorDataset, forget: list[int]) -> Subset[Any]:
    """The rest, in another order: requests come in any."""
    return Subset(dataset, [i for i in reversed(range(len(dataset))) if i not in forget])


class Recorder:
    """The recipe, noting which examples of a dataset (all different) it was given, in order, and with which seed."""

    def __init__(self, dataset: TensorDataset) -> None:
        self.index = {tuple(row.tolist()): i for i, row in enumerate(dataset.tensors[0])}
        self.shards: list[list[tuple[list[int], int]]] = []

    def __call__(self, dataset: Any, *, seed: int, start: nn.Module | None = None) -> nn.Module:
        if start is None:
            self.shards.append([])
        self.shards[-1].append(([self.index[tuple(x.tolist())] for x, _ in dataset], seed))
        return recipe(dataset, seed=seed, start=start)

    def slices(self) -> list[list[list[int]]]:
        """The examples of each shard's slices: what a stage got that the one before did not."""
        return [
            [sorted({*seen} - {*before}) for (before, _), (seen, _) in zip([([], 0), *shard], shard, strict=False)]
            for shard in self.shards
        ]


def from_scratch(recorder: Recorder, dataset: TensorDataset, forget: list[int]) -> list[nn.Module]:
    """Bourtoule et al., section IV, by hand: every shard again on its slices less the forget set, same seeds."""
    models = []
    for shard in recorder.shards:
        model, before = None, []
        for seen, seed in shard:
            left = [i for i in seen if i not in forget]
            if left != before:
                torch.manual_seed(seed)
                model, before = recipe(Subset(dataset, left), seed=seed, start=deepcopy(model)), left
        models += [model] if model is not None else []
    return models


@pytest.mark.parametrize("slices", [1, 3])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("forget", [[0], [5, 11, 23], list(range(0, 40, 3))])
def test_is_training_from_scratch_on_the_partition_less_the_forget_set(
    forget: list[int], seed: int, slices: int, blobs: Blobs
) -> None:
    data = blobs(40, seed)
    recorder = Recorder(data)
    trained = SISA(recorder, shards=3, slices=slices).train(data, seed=seed)
    assert len(recorder.shards) == 3
    assert sorted(chain(*chain(*recorder.slices()))) == list(range(40))
    unlearned = SISA(recipe)(trained, without(data, forget), Subset(data, forget), seed=seed + 100)
    for ensemble, gone in ((trained, []), (unlearned, forget)):
        expected = from_scratch(recorder, data, gone)
        assert len(expected) == len(ensemble.members())
        assert all(map(same, [shard.model for shard in ensemble.members().values()], expected))
        frozen = [[p.requires_grad for p in shard.model.parameters()] for shard in ensemble.members().values()]
        assert frozen == [[False] * 2 + [True] * 4] * 3


@pytest.mark.parametrize("slices", [1, 3])
def test_only_the_affected_shard_is_trained_and_only_from_the_affected_slice(slices: int, blobs: Blobs) -> None:
    data, calls = blobs(27, 0), []

    def counting(dataset: Any, *, seed: int, start: nn.Module | None = None) -> nn.Module:
        calls.append(len(dataset))
        return recipe(dataset, seed=seed, start=start)

    method = SISA(counting, shards=3, slices=slices)
    trained = method.train(data, seed=0)
    size = 9 // slices
    assert calls == [size * (i + 1) for i in range(slices)] * 3
    touched = Counter()
    for i in range(27):
        calls.clear()
        unlearned = method(trained, without(data, [i]), Subset(data, [i]), seed=0)
        changed = [name for name, s in unlearned.members().items() if s.slices != trained.members()[name].slices]
        assert len(changed) == 1
        assert all(
            same(shard, trained.members()[name]) for name, shard in unlearned.members().items() if name not in changed
        )
        before, after = trained.members()[changed[0]].slices, unlearned.members()[changed[0]].slices
        first = next(j for j in range(slices) if before[j] != after[j])
        assert calls == [size * (j + 1) - 1 for j in range(first, slices)]
        touched[changed[0], first] += 1
    assert set(touched.values()) == {size}
    assert len(touched) == 3 * slices


def test_the_partition_is_drawn_by_the_seed(blobs: Blobs) -> None:
    data = blobs(40, 0)
    first, again, other = (SISA(recipe).train(data, seed=seed) for seed in (0, 0, 1))
    assert same(first, again)
    assert [s.slices for s in first.members().values()] == [s.slices for s in again.members().values()]
    assert {*first.members()["0"].slices[0]} != {*other.members()["0"].slices[0]}
    assert len({seed for s in first.members().values() for seed in s.seeds}) == 5


def test_sequential_requests_are_one_request_for_all(blobs: Blobs) -> None:
    data = blobs(80, 0)
    method = SISA(recipe, shards=4, slices=2)
    model = trained = method.train(data, seed=0)
    for step in range(6):
        gone = list(range(step * 3, step * 3 + 3))
        model = method(model, without(data, list(range(step * 3 + 3))), Subset(data, gone), seed=step)
    at_once = method(trained, without(data, list(range(18))), Subset(data, list(range(18))), seed=9)
    assert same(model, at_once)
    assert [s.slices for s in model.members().values()] == [s.slices for s in at_once.members().values()]


def test_nothing_of_the_forget_set_is_remembered(blobs: Blobs) -> None:
    data = blobs(40, 0)
    method = SISA(recipe, shards=2, slices=2)
    unlearned = method(method.train(data, seed=0), without(data, [3, 4]), Subset(data, [3, 4]), seed=0)
    kept = {*chain(*SISA(recipe, shards=1).train(without(data, [3, 4]), seed=0).members()["0"].slices)}
    assert {key for s in unlearned.members().values() for part in s.slices for key in part} == kept


def test_copies_are_forgotten_one_by_one(blobs: Blobs) -> None:
    """Each example three times; requests for one of the copies, for two, and for all."""
    data = blobs(12, 0)
    tripled = TensorDataset(*(t.repeat(3, *[1] * (t.ndim - 1)) for t in data.tensors))
    method = SISA(recipe, shards=4, slices=2)
    trained = method.train(tripled, seed=0)
    held = Counter(key for s in trained.members().values() for part in s.slices for key in part)
    assert set(held.values()) == {3}
    for copies in (1, 2, 3):
        gone = [5 + 12 * i for i in range(copies)]
        unlearned = method(trained, without(tripled, gone), Subset(tripled, gone), seed=0)
        left = Counter(key for s in unlearned.members().values() for part in s.slices for key in part)
        assert (held - left).total() == copies
        assert len(held - left) == 1
    with pytest.raises(ValueError, match="1 of them are missing, and 0"):
        method(trained, without(tripled, [5, 17]), Subset(tripled, [5]), seed=0)


def test_the_same_x_with_another_label_is_another_example(blobs: Blobs) -> None:
    data = blobs(10, 0)
    twice = TensorDataset(data.tensors[0].repeat(2, 1), torch.cat([data.tensors[1], (data.tensors[1] + 1) % 3]))
    trained = SISA(recipe, shards=2).train(twice, seed=0)
    assert len({key for s in trained.members().values() for part in s.slices for key in part}) == 20


@pytest.mark.parametrize("slices", [1, 3])
def test_a_shard_or_slice_that_becomes_empty_is_dropped(slices: int, blobs: Blobs) -> None:
    data = blobs(18, 0)
    recorder, x = Recorder(data), data.tensors[0]
    trained = SISA(recorder, shards=3, slices=slices).train(data, seed=0)
    method = SISA(recipe)
    for forget in (chain(*recorder.slices()[1]), *(recorder.slices()[1] if slices > 1 else [])):
        gone = list(forget)
        unlearned = method(trained, without(data, gone), Subset(data, gone), seed=0)
        expected = from_scratch(recorder, data, gone)
        assert list(unlearned.members()) == (["0", "1", "2"] if len(gone) == 2 else ["0", "2"])
        assert all(map(same, [shard.model for shard in unlearned.members().values()], expected))
        assert torch.equal(unlearned.eval()(x), log_mean_softmax([model.eval()(x) for model in expected]))
        if len(gone) == 2:
            assert len(unlearned.members()["1"].slices) == 2
            assert len(unlearned.members()["1"].checkpoints) == 1
            more = [*gone, *recorder.slices()[2][0]]
            again = method(unlearned, without(data, more), Subset(data, more[2:]), seed=0)
            expected = from_scratch(recorder, data, more)
            assert all(map(same, [shard.model for shard in again.members().values()], expected))
    with pytest.raises(ValueError, match="retain set is empty"):
        method(trained, Subset(data, []), data, seed=0)


def test_forgetting_a_whole_class_works(blobs: Blobs) -> None:
    data = blobs(45, 0)
    recorder = Recorder(data)
    trained = SISA(recorder, shards=3).train(data, seed=0)
    gone = [i for i in range(45) if data.tensors[1][i] == 2]
    unlearned = SISA(recipe)(trained, without(data, gone), Subset(data, gone), seed=0)
    expected = from_scratch(recorder, data, gone)
    assert all(map(same, [shard.model for shard in unlearned.members().values()], expected))


def test_mean_is_the_log_of_the_mean_probability_and_vote_of_the_share_of_votes(blobs: Blobs) -> None:
    data = blobs(40, 0)
    x = data.tensors[0]
    trained = SISA(recipe, shards=4).train(data, seed=0).eval()
    probabilities = torch.stack([shard.model(x).double().softmax(1) for shard in trained.members().values()])
    torch.testing.assert_close(trained(x).double().exp(), probabilities.mean(0), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(trained(x).softmax(1), trained(x).exp())
    vote = SISA(recipe, shards=4, aggregation="vote").train(data, seed=0).eval()
    shares = torch.stack([(probabilities.argmax(2) == c).double().mean(0) for c in range(3)], dim=1)
    torch.testing.assert_close(vote(x).double().exp(), shares, rtol=1e-6, atol=1e-11)
    assert vote(x).isfinite().all()
    extreme = [torch.tensor([[200.0, -200.0]]), torch.tensor([[190.0, -190.0]])]
    assert log_mean_softmax(extreme)[0, 1] == pytest.approx(-380 + math.log((1 + math.exp(-20)) / 2), abs=1e-4)
    assert log_votes(extreme)[0].tolist() == pytest.approx([0, math.log(1e-12)])


def test_members_with_a_single_logit_give_two(blobs: Blobs) -> None:
    data = blobs(40, 0, classes=2)
    method = SISA(partial(recipe, outputs=1), shards=2, slices=2)
    trained = method.train(data, seed=0).eval()
    x = data.tensors[0]
    positive = torch.stack([shard.model(x).sigmoid() for shard in trained.members().values()]).mean(0)
    torch.testing.assert_close(trained(x).exp(), torch.cat([1 - positive, positive], 1))
    assert not same(method(trained, without(data, [1]), Subset(data, [1]), seed=0), trained)


def test_members_that_know_different_classes_are_an_error(blobs: Blobs) -> None:
    def narrow(dataset: Any, *, seed: int) -> nn.Module:
        return nn.Linear(4, 2 + len(dataset) % 2)

    with pytest.raises(ValueError, match=r"give \[2, 3\] logits: the recipe must build one for each class"):
        SISA(narrow, shards=2).train(blobs(11, 0), seed=0)(torch.zeros(1, 4))


def test_modes_and_flags_are_handed_back_but_training_continues_in_those_of_the_checkpoint(blobs: Blobs) -> None:
    data = blobs(40, 0)
    method = SISA(recipe, shards=2, slices=2)
    trained = method.train(data, seed=0)
    request = without(data, [1]), Subset(data, [1])
    expected = method(trained, *request, seed=0)
    unlearned = method(deepcopy(trained).eval().requires_grad_(False), *request, seed=0)
    assert same(unlearned, expected)
    assert not any(module.training for module in unlearned.modules())
    assert not any(weight.requires_grad for weight in unlearned.parameters())
    assert {m.training for m in expected.modules()} == {m.training for m in trained.modules()}


def test_only_the_members_can_be_trained_further(blobs: Blobs) -> None:
    trained = SISA(recipe, shards=2, slices=3).train(blobs(40, 0), seed=0)
    checkpoints = [m for m in trained.modules() if isinstance(m, Checkpoint)]
    assert len(checkpoints) == 4
    assert not any(p.requires_grad for m in checkpoints for p in m.parameters())


def test_a_recipe_may_give_the_same_object_again(blobs: Blobs) -> None:
    data, kept = blobs(40, 0), recipe(blobs(9, 0), seed=0)

    def with_one_network(dataset: Any, *, seed: int, start: nn.Module | None = None) -> nn.Module:
        kept.load_state_dict(recipe(dataset, seed=seed, start=start).state_dict())
        return kept

    request = without(data, [1]), Subset(data, [1])
    for slices in (1, 2, 3):
        one, fresh = (SISA(each, shards=2, slices=slices) for each in (with_one_network, recipe))
        trained, expected = one.train(data, seed=0), fresh.train(data, seed=0)
        assert same(trained, expected)
        assert same(one(trained, *request, seed=0), fresh(expected, *request, seed=0))


def test_the_ensemble_survives_storage(blobs: Blobs) -> None:
    data = blobs(40, 0)
    method = SISA(recipe, shards=2, slices=2)
    trained = method.train(data, seed=0)
    request = without(data, [1]), Subset(data, [1])
    expected = method(trained, *request, seed=0)
    for stored in (deepcopy(trained), pickle.loads(pickle.dumps(trained))):
        assert same(method(stored, *request, seed=0), expected)


def test_input_is_untouched_and_nothing_to_forget_changes_nothing(blobs: Blobs) -> None:
    data = blobs(40, 0)
    method = SISA(recipe, shards=3, slices=2)
    trained = method.train(data, seed=0)
    before, state = deepcopy(trained), torch.get_rng_state()
    method(trained, without(data, [1]), Subset(data, [1]), seed=0)
    assert same(trained, before)
    assert trained.members()["0"].slices == before.members()["0"].slices
    unchanged = method(trained, data, Subset(data, []), seed=0)
    assert unchanged is not trained
    assert same(unchanged, trained)
    assert torch.equal(torch.get_rng_state(), state)


def test_other_examples_than_those_trained_on_are_refused(blobs: Blobs) -> None:
    data, other = blobs(40, 0), blobs(3, 1)
    method = SISA(recipe)
    trained = method.train(data, seed=0)
    with pytest.raises(ValueError, match="2 of them are missing, and 3 of those given were not among them"):
        method(trained, without(data, [1, 2]), other, seed=0)
    with pytest.raises(ValueError, match="0 of them are missing, and 1"):
        method(trained, data, Subset(data, [1]), seed=0)
    moved = TensorDataset(data.tensors[0] + 1e-6, data.tensors[1])
    with pytest.raises(ValueError, match="40 of them are missing"):
        method(trained, without(moved, [1]), Subset(moved, [1]), seed=0)
    with pytest.raises(ValueError, match="0 of them are missing, and 3"):
        method(trained, ConcatDataset([data, Subset(other, [0, 1])]), Subset(other, [2]), seed=0)


@pytest.mark.parametrize("model", [nn.Linear(4, 3), "a name"])
def test_a_model_trained_in_one_piece_is_refused(model: Any, blobs: Blobs) -> None:
    with pytest.raises(Unsupported, match=r"SISA (needs an ensemble from its own train|trains by gradients)"):
        SISA(recipe)(model, blobs(30, 0), blobs(9, 1), seed=0)


def test_several_slices_need_a_recipe_that_can_continue(blobs: Blobs) -> None:
    def once(dataset: Any, *, seed: int) -> nn.Module:
        return recipe(dataset, seed=seed)

    data = blobs(30, 0)
    with pytest.raises(ValueError, match="recipe must take start="):
        SISA(once, slices=2)
    assert same(SISA(once).train(data, seed=0), SISA(recipe).train(data, seed=0))
    sliced = SISA(recipe, shards=1, slices=2).train(data, seed=0)
    with pytest.raises(ValueError, match="recipe must take start="):
        SISA(once)(sliced, without(data, [0]), Subset(data, [0]), seed=0)


@pytest.mark.parametrize("wrong", [{"shards": 0}, {"slices": 0}, {"aggregation": "median"}])
def test_bad_settings_are_named(wrong: dict[str, Any], blobs: Blobs) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SISA(recipe, **wrong)


def test_too_few_examples_for_the_partition_are_an_error(blobs: Blobs) -> None:
    with pytest.raises(ValueError, match="9 examples do not fill 5 shards of 2 slices"):
        SISA(recipe, slices=2).train(blobs(9, 0), seed=0)


def test_a_recipe_that_gives_no_network_is_refused(blobs: Blobs) -> None:
    with pytest.raises(Unsupported, match="not str"):
        SISA(lambda dataset, *, seed: "model").train(blobs(30, 0), seed=0)
