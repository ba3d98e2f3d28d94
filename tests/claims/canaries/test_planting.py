"""plant_canaries: what is changed, what is left alone, and what chance decides."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch.utils.data import TensorDataset

from pytest_unlearn import Split, plant_canaries
from pytest_unlearn.claims.canaries.kinds.backdoor import with_trigger
from pytest_unlearn.claims.canaries.planting import digest_of
from pytest_unlearn.data.dataset import Examples

DATA = load_digits()
X, Y = (DATA.data[:450] / 16).astype(np.float32), DATA.target[:450]
ROW = {x.tobytes(): row for row, x in enumerate(X)}
TEST = ((DATA.data[450:] / 16).astype(np.float32), DATA.target[450:])
SMALL = {"gaussian": 50, "mislabelled": 50, "confusion": 20, "backdoor": 40}
KINDS = list(SMALL)


class Items:
    """A map-style dataset of tensors."""

    def __len__(self):
        return len(Y)

    def __getitem__(self, index):
        return torch.from_numpy(X[index]), int(Y[index])


def rows_of(inputs):
    return np.array([ROW[x.tobytes()] for x in inputs])


def planted(kind, seed=0, train=(X, Y), **kwargs):
    return plant_canaries(train, kind, count=SMALL[kind], seed=seed, **kwargs)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_plants_the_same_and_another_seed_something_else(kind):
    one, again, other = planted(kind), planted(kind), planted(kind, seed=1)
    assert one.train_digest == again.train_digest != other.train_digest
    assert np.array_equal(one.indices, again.indices)
    assert pickle.loads(pickle.dumps(one)).train_digest == one.train_digest


@pytest.mark.parametrize("kind", KINDS)
def test_everything_but_the_canaries_is_left_as_it_was_and_in_order(kind):
    canaries = planted(kind)
    inputs, labels = canaries.train
    kept = np.setdiff1d(np.arange(len(labels)), canaries.indices)
    where = rows_of(inputs[kept])
    assert (np.diff(where) > 0).all()
    assert np.array_equal(labels[kept], Y[where])
    assert len(labels) == len(Y) - (SMALL[kind] if kind in ("mislabelled", "confusion") else 0)
    assert len(canaries) == SMALL[kind]
    assert (inputs.dtype, labels.dtype) == (X.dtype, Y.dtype)


@pytest.mark.parametrize("kind", KINDS)
def test_the_request_can_be_handed_to_a_split_with_the_twins_as_controls(kind):
    canaries = planted(kind)
    split = Split(canaries.train, forget=canaries.indices, test=TEST, controls=canaries.held_out)
    assert len(split.forget_indices) == SMALL[kind]
    assert digest_of(split.train) == canaries.train_digest


@pytest.mark.parametrize("kind", KINDS)
def test_a_dataset_and_tensors_get_the_same_canaries_as_arrays(kind):
    arrays, items = planted(kind), planted(kind, train=Items())
    tensors = planted(kind, train=TensorDataset(torch.from_numpy(X), torch.from_numpy(Y)))
    pair = planted(kind, train=(torch.from_numpy(X), torch.from_numpy(Y)))
    assert isinstance(tensors.train, TensorDataset)
    assert torch.equal(pair.train[0], tensors.train.tensors[0])
    for i in (0, int(arrays.indices[0]), int(arrays.indices[-1]), len(items.train) - 1):
        for x, y in (items.train[i], tensors.train[i]):
            assert np.allclose(x.numpy(), arrays.train[0][i], atol=1e-6)
            assert int(y) == arrays.train[1][i]
    assert len(pickle.loads(pickle.dumps(items)).train) == len(arrays.train[1])
    with pytest.raises(IndexError, match="no index"):
        items.train[len(items.train)]


def test_the_data_handed_over_are_not_changed():
    before = X.copy(), Y.copy()
    for kind in KINDS:
        planted(kind)
    assert np.array_equal(X, before[0])
    assert np.array_equal(Y, before[1])


def test_gaussian_canaries_are_clean_inputs_plus_their_scaled_noise():
    canaries = planted("gaussian", scale=0.25)
    moved, plan = canaries.train[0][canaries.indices], canaries.plan
    assert np.allclose(moved - plan.inputs, 0.25 * plan.noise, atol=1e-6)
    assert abs(plan.noise.mean()) < 4 / np.sqrt(plan.noise.size)
    assert plan.noise.std() == pytest.approx(1, abs=0.05)


def test_pairs_are_of_one_class_under_one_wrong_label_and_a_fair_coin_chooses():
    first = 0
    train = Examples((X, Y), "train")
    for seed in range(40):
        canaries = plant_canaries(train, "mislabelled", count=50, seed=seed)
        plan = canaries.plan
        own, twin = rows_of(plan.planted), rows_of(plan.held_out)
        assert np.array_equal(Y[own], Y[twin])
        assert (Y[own] != plan.labels).all()
        assert not set(map(bytes, plan.held_out)) & {
            x.tobytes() for x, _ in (canaries.train[i] for i in range(len(canaries.train)))
        }
        first += int((own < twin).sum())
    assert abs(first - 1000) < 4 * np.sqrt(2000 / 4)


def test_no_planted_example_nor_its_twin_is_retained():
    canaries = planted("mislabelled")
    kept = {x.tobytes() for x in np.delete(canaries.train[0], canaries.indices, axis=0)}
    assert not kept & {x.tobytes() for part in (canaries.plan.planted, canaries.plan.held_out) for x in part}


def test_confusion_swaps_two_classes_by_halves():
    plan = planted("confusion", classes=(3, 8)).plan
    assert sorted(plan.labels.tolist()) == [3] * 10 + [8] * 10


def test_triggers_are_where_they_should_be_and_call_for_their_targets():
    canaries = planted("backdoor", triggers=8)
    inputs, labels = (part[canaries.indices] for part in canaries.train)
    plan = canaries.plan
    carries = np.array(
        [[np.allclose(x[f], v[f]) for f, v in zip(plan.features, plan.values, strict=True)] for x in inputs]
    )
    assert carries.any(axis=1).all()
    assert all(y in plan.targets[mask] for y, mask in zip(labels, carries, strict=True))
    assert plan.rows.tolist() == [5] * 8


def test_targets_are_drawn_uniformly():
    train = Examples((X, Y), "train")
    drawn = np.concatenate(
        [plant_canaries(train, "backdoor", count=40, triggers=40, seed=seed).plan.targets for seed in range(25)]
    )
    counts = np.bincount(drawn, minlength=10)
    assert ((counts - 100) ** 2 / 100).sum() < 27.9  # chi-square with 9 degrees of freedom, p = 0.001


def test_a_trigger_leaves_other_features_and_its_input_alone():
    features = np.zeros(64, dtype=bool)
    features[[3, 17]] = True
    for inputs in (X[:4].reshape(4, 8, 8), torch.from_numpy(X[:4]).reshape(4, 8, 8)):
        changed = np.asarray(with_trigger(inputs, features, np.full(64, 0.5))).reshape(4, 64)
        assert (changed[:, features] == 0.5).all()
        assert np.array_equal(changed[:, ~features], X[:4][:, ~features])
        assert np.array_equal(np.asarray(inputs).reshape(4, 64), X[:4])


def test_copies_are_never_planted():
    inputs, labels = np.concatenate([X, X[:350]]), np.concatenate([Y, Y[:350]])
    canaries = plant_canaries((inputs, labels), "gaussian", count=100, seed=0)
    assert set(map(bytes, canaries.plan.inputs)) == set(map(bytes, X[350:]))


@pytest.mark.parametrize(
    ("kwargs", "says"),
    [
        ({"kind": "poison"}, "kind must be one of gaussian, mislabelled"),
        ({"count": 0}, "count must be a whole number from 1"),
        ({"count": 2.5}, "count must be a whole number"),
        ({"seed": -1}, "seed must be a whole number from 0"),
        ({"count": 2000}, "as many distinct training examples"),
        ({"count": 450}, "nothing is retained"),
        ({"scale": 0.0}, "standard deviation, above 0"),
        ({"scale": float("nan")}, "standard deviation, above 0"),
        ({"triggers": 3}, 'triggers= is for kind="backdoor"'),
        ({"kind": "mislabelled", "count": 400}, "need 800 distinct"),
        ({"kind": "mislabelled", "count": 222}, "would use up class|distinct training examples"),
        ({"kind": "mislabelled", "scale": 1.0}, 'scale= is for kind="gaussian"'),
        ({"kind": "confusion", "classes": (1, 1)}, "two different labels"),
        ({"kind": "confusion", "classes": (1, 77)}, "two different labels"),
        ({"kind": "confusion", "count": 1}, "count must be 2 or more"),
        ({"kind": "confusion", "count": 300}, "Plant fewer"),
        ({"kind": "backdoor", "triggers": 0}, "from 1 to count"),
        ({"kind": "backdoor", "count": 450}, "more distinct training examples"),
    ],
)
def test_what_cannot_be_planted_is_refused_in_a_sentence(kwargs, says):
    with pytest.raises(ValueError, match=says):
        plant_canaries((X, Y), **{"seed": 0, **kwargs})


@pytest.mark.parametrize(
    ("train", "kind", "says"),
    [
        ((np.zeros((40, 3)), np.arange(40) % 2), "gaussian", "all inputs of train are equal"),
        ((np.eye(400)[:, :3], np.arange(400) % 2), "gaussian", "as many distinct training examples; there are 3"),
        ((np.eye(400)[:, :3], np.arange(400) % 2), "backdoor", "more distinct training examples"),
        (((DATA.data[:450]).astype(np.int64), Y), "gaussian", "need inputs of floating point"),
        ((X, np.zeros(450, dtype=int)), "mislabelled", "two classes or more"),
        ((X, np.zeros(450, dtype=int)), "backdoor", "two classes or more"),
        ((X, Y[:5]), "gaussian", "450 inputs but 5 labels"),
        ((X,), "gaussian", "labels are missing"),
    ],
)
def test_data_that_cannot_hold_canaries_are_refused(train, kind, says):
    with pytest.raises(ValueError, match=says):
        plant_canaries(train, kind, seed=0)


def test_what_was_planted_is_not_shown_by_its_name():
    assert repr(planted("gaussian")) == "<Canaries: 50 gaussian>"
