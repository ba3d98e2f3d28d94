"""Split, views and reserve_controls: what is checked when they are built, and what they then hold."""

import warnings

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from pytest_unlearn import Split, UnlearningTask, reserve_controls
from pytest_unlearn.core.recorder import Recorder, defining, recording


def data(n: int, seed: int = 0, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 4)).astype(np.float32), np.arange(n) % classes


TRAIN, TEST = data(30, 0), data(30, 1)


class Pairs:
    """A map-style dataset of (x, y)."""

    def __init__(self, X, y):
        self.X, self.y = X, y

    def __len__(self):
        return len(self.X)

    def __getitem__(self, index):
        return self.X[index], self.y[index]


def test_forget_and_retain_partition_train_and_views_know_their_task():
    task = UnlearningTask(Split(TRAIN, forget=[3, 1, 4], test=TEST))
    assert task.forget.indices.tolist() == [3, 1, 4]
    assert sorted([*task.forget.indices, *task.retain.indices]) == list(range(30))
    assert all(view.task is task for view in (task.forget, task.retain, task.test, task.controls))
    x, y = task.forget[0]
    assert (x == TRAIN[0][3]).all()
    assert y == TRAIN[1][3]


def test_a_boolean_mask_is_the_same_request_as_its_indices():
    mask = np.zeros(30, dtype=bool)
    mask[[1, 5]] = True
    assert Split(TRAIN, forget=mask, test=TEST).forget_indices.tolist() == [1, 5]
    assert Split(TRAIN, forget=torch.tensor([1, 5]), test=TEST).forget_indices.tolist() == [1, 5]


@pytest.mark.parametrize(
    "make",
    [
        lambda X, y: (X, y),
        lambda X, y: (torch.tensor(X), torch.tensor(y)),
        lambda X, y: TensorDataset(torch.tensor(X), torch.tensor(y)),
        lambda X, y: Pairs(torch.tensor(X), y.tolist()),
        lambda X, y: Pairs(X, [torch.tensor(label) for label in y]),
        lambda X, y: [(x, int(label)) for x, label in zip(X, y, strict=True)],
    ],
)
def test_every_way_of_handing_over_data_gives_the_same_examples(make):
    split = Split(make(*TRAIN), forget=[0, 7], test=make(*TEST))
    task = UnlearningTask(split)
    X, y = task.forget.arrays()
    assert np.array_equal(X, TRAIN[0][[0, 7]])
    assert y.tolist() == TRAIN[1][[0, 7]].tolist()
    assert split.train.digests().tolist() == Split(TRAIN, forget=[0, 7], test=TEST).train.digests().tolist()


@pytest.mark.parametrize(
    ("forget", "says"),
    [
        ([], "empty"),
        ([0, 30], "30 are outside"),
        ([-1], "-1 are outside"),
        ([2, 2], "repeats indices 2"),
        ([0.5], "integer indices"),
        (np.zeros(29, bool), "one value for each of the 30"),
        (np.ones(30, bool), "nothing is retained"),
    ],
)
def test_a_request_that_cannot_be_audited_is_refused_with_its_reason(forget, says):
    with pytest.raises(ValueError, match=says):
        Split(TRAIN, forget=forget, test=TEST)


def test_a_test_example_copied_from_train_is_named():
    X, y = TEST[0].copy(), TEST[1]
    X[7] = TRAIN[0][12]
    with pytest.raises(ValueError, match=r"test\[7\] = train\[12\]"):
        Split(TRAIN, forget=[0], test=(X, y))


def test_a_copy_is_found_whatever_its_precision_or_label():
    X, y = TEST[0].astype(np.float64), TEST[1].copy()
    X[7], y[7] = TRAIN[0][12], 2 - TRAIN[1][12]
    with pytest.raises(ValueError, match="overlaps train"):
        Split(TRAIN, forget=[0], test=(X, y))


def test_a_control_copied_from_the_forget_set_is_an_error():
    X, y = data(30, 2)
    X[4] = TRAIN[0][5]
    with pytest.raises(ValueError, match=r"controls overlaps train.*the forget set.*controls\[4\] = train\[5\]"):
        Split(TRAIN, forget=[5], test=TEST, controls=(X, y))


def test_a_forget_example_copied_in_retain_is_a_warning_that_names_it():
    X, y = TRAIN[0].copy(), TRAIN[1]
    X[9] = X[2]
    with pytest.warns(UserWarning, match="train indices 9"):
        Split((X, y), forget=[2], test=TEST)


@pytest.mark.parametrize(
    ("train", "says"),
    [
        ((TRAIN[0], TRAIN[1] + 0.5), "one integer an example"),
        ((TRAIN[0], TRAIN[1].astype(str)), "labels of train are text and those of test are numbers"),
        ((TRAIN[0], TRAIN[1][:-1]), "30 inputs but 29 labels"),
        (TensorDataset(torch.tensor(TRAIN[0])), "labels are missing"),
        (list(TRAIN[0]), "labels are missing"),
        ((np.where(np.arange(4) == 1, np.inf, TRAIN[0]), TRAIN[1]), "non-finite input"),
        ((np.full((30, 2, 2), np.nan), TRAIN[1]), "non-finite input"),
        ((TRAIN[0][:0], TRAIN[1][:0]), "train is empty"),
        (iter([]), "map-style"),
    ],
)
def test_data_that_cannot_be_audited_is_refused_with_its_reason(train, says):
    with pytest.raises(ValueError, match=says):
        Split(train, forget=[0], test=TEST)


def test_a_randomly_augmented_dataset_is_refused():
    class Noisy(Pairs):
        def __getitem__(self, index):
            return self.X[index] + np.random.default_rng().normal(size=4), self.y[index]

    with pytest.raises(ValueError, match="transforms at random"):
        Split(Noisy(*TRAIN), forget=[0], test=TEST)


def test_default_controls_are_the_test_examples_of_the_forget_classes():
    task = UnlearningTask(Split(TRAIN, forget=[0, 3, 1], test=TEST))  # classes 0 and 1
    assert sorted(set(task.controls.labels.tolist())) == [0, 1]
    assert len(task.controls) == 20


def test_a_copy_among_the_controls_is_left_out_whatever_is_matched():
    twice = np.concatenate([TEST[0], TEST[0][:2]]), np.concatenate([TEST[1], TEST[1][:2]])
    for match, indices in (("class", list(range(0, 30, 3))), (None, list(range(30)))):
        assert Split(TRAIN, forget=[0], test=twice, match=match).control_indices.tolist() == indices


def test_a_class_without_controls_is_named_and_match_none_turns_matching_off():
    without = TEST[1] != 2
    test = (TEST[0][without], TEST[1][without])
    with pytest.raises(ValueError, match="class 2"):
        Split(TRAIN, forget=[2], test=test)
    assert len(UnlearningTask(Split(TRAIN, forget=[2], test=test, match=None)).controls) == 20


def test_groups_need_one_id_an_example_and_torn_groups_are_a_warning():
    with pytest.raises(ValueError, match="one id for each of the 30"):
        Split(TRAIN, forget=[0], test=TEST, groups=np.arange(29))
    with pytest.warns(UserWarning, match="partly forgotten"):
        Split(TRAIN, forget=[0], test=TEST, groups=np.arange(30) // 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Split(TRAIN, forget=[0, 1], test=TEST, groups=np.arange(30) // 2)


def test_control_groups_need_one_id_for_each_example_that_controls_are_taken_from():
    with pytest.raises(ValueError, match=r"control_groups needs one id for each of the 30 examples of test; .*\(29,\)"):
        Split(TRAIN, forget=[0], test=TEST, control_groups=np.arange(29))
    with pytest.raises(ValueError, match="control_groups needs one id for each of the 60 examples of controls"):
        Split(TRAIN, forget=[0], test=TEST, controls=data(60, 2), control_groups=np.arange(30))
    split = Split(TRAIN, forget=[0], test=TEST, control_groups=torch.arange(30) // 3)
    assert split.control_groups.tolist() == (np.arange(30) // 3).tolist()
    assert split.groups is None


def test_whoever_is_on_both_sides_has_one_number():
    ours, theirs = 1000 + np.arange(30) // 2 * 10, 1100 + np.arange(30) // 2 * 10
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a group is torn by what is retained, not by what was never trained on
        split = Split(TRAIN, forget=range(20), test=TEST, groups=ours, control_groups=theirs)
    assert split.groups.tolist() == (np.arange(30) // 2).tolist()
    assert split.control_groups.tolist() == (np.arange(30) // 2 + 10).tolist()


def test_the_digest_tells_requests_and_data_apart():
    base = Split(TRAIN, forget=[0], test=TEST)
    assert base.digest == Split(TRAIN, forget=[0], test=TEST).digest
    assert base.digest != base.with_forget([1]).digest
    other = TRAIN[0].copy()
    other[20, 0] += 1e-3
    assert base.digest != Split((other, TRAIN[1]), forget=[0], test=TEST).digest


def test_with_forget_keeps_controls_groups_and_matching():
    ids = {"groups": np.arange(30), "control_groups": 20 + np.arange(40)}
    split = Split(TRAIN, forget=[0], test=TEST, controls=data(40, 2), match=None, **ids)
    again = split.with_forget([1, 2])
    assert again.groups.tolist() == list(range(30))
    assert again.control_groups.tolist() == list(range(20, 60))
    assert again.held_out is split.held_out
    assert again.match is None
    assert again.forget_indices.tolist() == [1, 2]


def test_a_loader_gives_the_view_in_fixed_order():
    task = UnlearningTask(Split(TRAIN, forget=[3, 1, 4], test=TEST))
    loader = task.forget.loader(batch_size=2)
    assert isinstance(loader, DataLoader)
    assert [label for _, labels in loader for label in labels.tolist()] == TRAIN[1][[3, 1, 4]].tolist()


def test_reserved_controls_are_a_seeded_random_partition():
    kept, controls = reserve_controls(100, size=0.2, seed=0)
    assert len(controls) == 20
    assert sorted([*kept, *controls]) == list(range(100))
    again = reserve_controls(100, size=20, seed=0)
    assert again[1].tolist() == controls.tolist()
    assert reserve_controls(100, size=20, seed=1)[1].tolist() != controls.tolist()
    for size in (0, 100, 1.0, -1):
        with pytest.raises(ValueError, match="size must leave"):
            reserve_controls(100, size=size, seed=0)


def test_a_request_is_the_same_in_any_order_and_precision():
    def digest(train, forget):
        return UnlearningTask(Split(train, forget=forget, test=TEST)).forget.unordered_digest

    X, y = TRAIN
    relabelled = np.where(np.arange(30) == 4, (y + 1) % 3, y)
    assert digest(TRAIN, [3, 1, 4]) == digest(TRAIN, [1, 3, 4]) == digest((X.astype(np.float64), y), [4, 3, 1])
    assert len({digest(TRAIN, [3, 1, 4]), digest(TRAIN, [3, 1]), digest((X, relabelled), [3, 1, 4])}) == 3


def test_a_split_knows_the_test_or_the_fixture_it_was_defined_in():
    assert Split(TRAIN, forget=[1], test=TEST).defined_in == ""
    with recording(Recorder("test_it.py::test_a")):
        assert Split(TRAIN, forget=[1], test=TEST).defined_in == "test_it.py::test_a"
        with defining("a/conftest.py"):
            defined = Split(TRAIN, forget=[1], test=TEST)
            assert defined.defined_in == "a/conftest.py"
        assert defined.with_forget([2]).defined_in == "test_it.py::test_a"
