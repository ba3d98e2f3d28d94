"""What people have as data, labels and requests: each is read as plain arrays are, or a sentence says what to do."""

import warnings
from collections import UserDict, namedtuple
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes, load_digits
from torch.utils.data import ConcatDataset, DataLoader, IterableDataset, Subset, TensorDataset, random_split

from pytest_unlearn import Split, UnlearningTask

DIGITS = load_digits()
X, Y = (DIGITS.data[:120] / 16).astype(np.float32), DIGITS.target[:120]
TRAIN, TEST = (X[:60], Y[:60]), (X[60:], Y[60:])
Example = namedtuple("Example", "image label weight")
Reversed = namedtuple("Reversed", "target image")
Anonymous = namedtuple("Anonymous", "first second")


class Items:
    """A map-style dataset whose items are made by a function of (x, y, index)."""

    def __init__(self, make, x=TRAIN[0], y=TRAIN[1]):
        self.make, self.x, self.y = make, x, y

    def __len__(self):
        return len(self.y)

    def __getitem__(self, index):
        return self.make(self.x[index], int(self.y[index]), index)


PAIRS = Items(lambda x, y, i: (x, y))
TENSORS = TensorDataset(torch.tensor(TRAIN[0]), torch.tensor(TRAIN[1]))
EYE = np.eye(10)


def read_as(train):
    return Split(train, forget=range(6), test=TEST).train


@pytest.mark.parametrize(
    "train",
    [
        pytest.param(Items(lambda x, y, i: {"pixel_values": x, "labels": y}), id="hugging face's vision keys"),
        pytest.param(Items(lambda x, y, i: {"image": x, "label": y}), id="hugging face's other keys"),
        pytest.param(Items(lambda x, y, i: UserDict(x=x, y=y)), id="a mapping that is no dict"),
        pytest.param(Items(lambda x, y, i: {"embedding": x, "target": y}), id="one key beside the label's"),
        pytest.param(Items(lambda x, y, i: Reversed(y, x)), id="a named tuple with the label first"),
        pytest.param(Items(lambda x, y, i: Anonymous(x, y)), id="a named tuple of unknown names"),
        pytest.param(Items(lambda x, y, i: [x, y]), id="lists"),
        pytest.param(Items(lambda x, y, i: (torch.tensor(x), torch.tensor([y]))), id="labels as tensors of one number"),
        pytest.param(Items(lambda x, y, i: (x, float(y))), id="labels as whole floats"),
        pytest.param(Items(lambda x, y, i: (x, EYE[y])), id="one-hot labels"),
        pytest.param(Items(lambda x, y, i: (x.tolist(), y), x=TRAIN[0].astype(np.float32)), id="inputs as lists"),
        pytest.param(Subset(TensorDataset(torch.tensor(X), torch.tensor(Y)), range(60)), id="Subset"),
        pytest.param(ConcatDataset([Subset(TENSORS, range(20)), Subset(TENSORS, range(20, 60))]), id="ConcatDataset"),
        pytest.param(TENSORS, id="TensorDataset"),
        pytest.param(
            TensorDataset(torch.tensor(TRAIN[0], requires_grad=True), torch.tensor(TRAIN[1])),
            id="inputs with gradients",
        ),
        pytest.param(list(zip(*TRAIN, strict=True)), id="a list of pairs"),
        pytest.param([TRAIN[0], TRAIN[1]], id="a list of two arrays"),
        pytest.param((TRAIN[0], TRAIN[1].tolist()), id="labels as a list"),
        pytest.param((TRAIN[0].tolist(), TRAIN[1].tolist()), id="both as lists"),
        pytest.param((TRAIN[0], TRAIN[1][:, None]), id="labels of shape (n, 1)"),
        pytest.param((torch.tensor(TRAIN[0]), torch.tensor(TRAIN[1])[:, None].float()), id="(n, 1) as float tensors"),
        pytest.param((TRAIN[0], TRAIN[1].astype(np.float32)), id="whole floats"),
        pytest.param((TRAIN[0], EYE[TRAIN[1]]), id="one-hot rows"),
        pytest.param((TRAIN[0], EYE[TRAIN[1]].astype(bool)), id="one-hot rows of booleans"),
        pytest.param((TRAIN[0], TRAIN[1].astype(np.uint8)), id="labels as bytes"),
        pytest.param((TRAIN[0], TRAIN[1].astype(object)), id="whole numbers as objects"),
    ],
)
def test_other_forms_of_the_same_data_are_the_same_examples(train):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        examples = read_as(train)
    assert examples.labels.tolist() == TRAIN[1].tolist()
    assert examples.contents.tolist() == read_as(TRAIN).contents.tolist()
    assert np.allclose(np.asarray(examples.inputs(np.arange(60))), TRAIN[0])


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda x, y, i: (x, y, i), "parts 2 of each item are no part"),
        (lambda x, y, i: (x, y, f"id{i}", 0.5), "parts 2, 3 of each item"),
        (lambda x, y, i: Example(x, y, 1.0), "weight of each item"),
        (lambda x, y, i: {"img": x, "label": y, "id": i}, "id of each item"),
    ],
)
def test_what_an_item_holds_besides_is_ignored_and_said(make, says):
    with pytest.warns(UserWarning, match=f"^train: {says}"):
        examples = read_as(Items(make))
    assert examples.contents.tolist() == read_as(TRAIN).contents.tolist()
    assert examples.labels.tolist() == TRAIN[1].tolist()


def test_a_tensor_dataset_of_three_gives_its_first_two():
    three = TensorDataset(*TENSORS.tensors, torch.arange(60))
    with pytest.warns(UserWarning, match="parts 2 of each item"):
        assert read_as(three).digests().tolist() == read_as(TENSORS).digests().tolist()


def test_half_precision_inputs_are_read_by_value():
    half = torch.tensor(TRAIN[0]).bfloat16()
    split = Split((half, TRAIN[1]), forget=range(6), test=(torch.tensor(TEST[0]).bfloat16(), TEST[1]))
    inputs, _ = UnlearningTask(split).forget.arrays()
    assert np.array_equal(inputs, half[:6].float().numpy())


def test_a_hugging_face_dataset_is_read_item_by_item():
    datasets = pytest.importorskip("datasets")
    held = datasets.Dataset.from_dict({"pixel_values": TRAIN[0].tolist(), "label": TRAIN[1].tolist()})
    for train in (held, held.with_format("torch"), held.with_format("numpy")):
        examples = read_as(train)
        assert examples.labels.tolist() == TRAIN[1].tolist()
        assert np.allclose(np.asarray(examples.inputs(np.arange(60))), TRAIN[0])
    with pytest.raises(ValueError, match=r"name the part that is meant, as in data\['train'\]"):
        read_as(datasets.DatasetDict({"train": held, "test": held}))
    with pytest.raises(ValueError, match="list\\(data\\) makes one"):
        read_as(held.to_iterable_dataset())


class Stream(IterableDataset):
    def __iter__(self):
        return iter(zip(*TRAIN, strict=True))

    def __len__(self):
        return 60


@dataclass
class Record:
    x: np.ndarray
    y: int


@pytest.mark.parametrize(
    ("train", "says"),
    [
        pytest.param(Stream(), r"iterable dataset \(Stream\).*list\(data\) makes one", id="iterable, with a length"),
        pytest.param((item for item in PAIRS), r"map-style.*list\(data\) makes one", id="a generator"),
        pytest.param(DataLoader(TENSORS), r"train is a DataLoader.*pass the loader's \.dataset", id="a loader"),
        pytest.param({"train": TENSORS, "test": TENSORS}, r"as in data\['train'\]", id="a dict of datasets"),
        pytest.param("train.npz", "train is 'train.npz', not the data: load it", id="a path as text"),
        pytest.param(Path("train.npz"), "not the data: load it", id="a path"),
        pytest.param(None, "train is None", id="nothing"),
        pytest.param(7, "map-style", id="a number"),
        pytest.param(TRAIN[0], r"train\[0\] is not an \(x, y\) pair: labels are missing", id="inputs alone"),
        pytest.param((*TRAIN, np.arange(60)), r"must be a pair \(X, y\)", id="three arrays"),
        pytest.param(Items(lambda x, y, i: x), "labels are missing", id="items without labels"),
        pytest.param(Items(lambda x, y, i: Record(x, y)), "labels are missing", id="items of a class of their own"),
        pytest.param(Items(lambda x, y, i: {"image": x}), "labels are missing: wrap", id="a dict without labels"),
        pytest.param(
            Items(lambda x, y, i: {"input_ids": x, "attention_mask": x, "labels": y}),
            "'attention_mask' besides needs an input that holds both: wrap",
            id="tokens with a mask",
        ),
        pytest.param(
            Items(lambda x, y, i: {"image": x, "text": x, "label": y}),
            "cannot be told: wrap",
            id="two inputs in a dict",
        ),
        pytest.param(
            Items(lambda x, y, i: {"image": x, "label": y, "target": y}),
            "cannot be told: wrap",
            id="two labels in a dict",
        ),
        pytest.param(
            Items(lambda x, y, i: (x, x, y)), r"second is no label of one number: wrap.*item\[2\]", id="two inputs"
        ),
        pytest.param(
            Items(lambda x, y, i: (x, i, y)), "is an index and not the label", id="the index before the label"
        ),
        pytest.param(Items(lambda x, y, i: (x[: 3 + i % 2], y)), r"train\[1\] has shape \(4,\)", id="ragged inputs"),
        pytest.param((TRAIN[0], TRAIN[1] + 0.25), r"a regression.*np\.digitize", id="regression, with fractions"),
        pytest.param(load_diabetes(return_X_y=True), r"214 values are measurements", id="regression, whole floats"),
        pytest.param((TRAIN[0], TRAIN[0][:, :3]), "3 measurements each", id="regression of several outputs"),
        pytest.param(
            (TRAIN[0], (TRAIN[0][:, :5] > 0.3) * 1), r"\(multi-label\): audit one label at a time", id="multi-label"
        ),
        pytest.param((TRAIN[0], np.full((60, 4), 0.25)), r"soft labels\): take the most likely", id="soft labels"),
        pytest.param((TRAIN[0], np.zeros((60, 8, 8), int)), r"\(8, 8\) each \(segmentation", id="segmentation"),
        pytest.param(Items(lambda x, y, i: (x, np.zeros((8, 8), int))), "segmentation", id="segmentation, in items"),
        pytest.param(Items(lambda x, y, i: (x, list(range(1 + i % 3)))), "sequences", id="label lists of any length"),
        pytest.param(
            (TRAIN[0], np.where(np.arange(60) == 7, np.nan, Y[:60])), "1 are missing .* position 7", id="NaN label"
        ),
        pytest.param(Items(lambda x, y, i: (x, None)), "got object", id="labels of None"),
    ],
)
def test_what_cannot_be_audited_says_in_one_sentence_what_to_do(train, says):
    with pytest.raises(ValueError, match=says) as refusal:
        read_as(train)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("train", "forget", "positions"),
    [
        (TENSORS, Subset(TENSORS, [5, 3]), [5, 3]),
        (TENSORS, Subset(TENSORS, torch.tensor([5, 3])), [5, 3]),
        (Subset(TENSORS, range(10, 60)), Subset(TENSORS, [12, 40]), [2, 30]),
        (PAIRS, Subset(PAIRS, np.array([4])), [4]),
        (PAIRS, [True, *[False] * 58, True], [0, 59]),
        (PAIRS, torch.arange(60) < 3, [0, 1, 2]),
        (PAIRS, {7}, [7]),
        (PAIRS, (int(i) for i in (9, 8)), [9, 8]),
        (PAIRS, [torch.tensor(2), torch.tensor(1)], [2, 1]),
        (PAIRS, [np.int64(2)], [2]),
    ],
)
def test_a_request_is_indices_a_mask_or_a_subset_of_train(train, forget, positions):
    assert Split(train, forget=forget, test=TEST).forget_indices.tolist() == positions


def test_a_part_of_a_random_split_is_a_request_of_its_whole():
    gone, kept = random_split(TENSORS, [6, 54], generator=torch.Generator().manual_seed(0))
    split = Split(TENSORS, forget=gone, test=TEST)
    assert split.forget_indices.tolist() == list(gone.indices)
    assert sorted(split.retain_indices) == sorted(kept.indices)


@pytest.mark.parametrize(
    ("forget", "says"),
    [
        (None, "not None"),
        (5, "not 5"),
        ("train-001", "not 'train-001'"),
        (["a", "b"], r"text \('a', 'b'\)\. Where ids\[i\] is the id of train\[i\], np\.isin\(ids, these\)"),
        (np.where(np.arange(60) < 3), r"take its \[0\]"),
        ([1.0, 2.0], "integer indices into train"),
        ([0, np.nan], "integer indices into train"),
        (np.arange(6)[:, None], r"shape \(6, 1\)"),
        ([1, 0] * 30, r"\.astype\(bool\)"),
        ([True] * 59, "one value for each of the 60"),
        ([False] * 60, "forget is empty"),
        ([60], "60 are outside"),
        ((TRAIN[0][:6], TRAIN[1][:6]), "not the examples themselves"),
        (TRAIN[0][:6], r"float32, shape \(6, 64\)"),
        (TENSORS, "not the examples themselves"),
        (list(PAIRS)[:3], "not the examples themselves"),
        (DataLoader(TENSORS), "not the examples themselves"),
        (Subset(TensorDataset(*TENSORS.tensors), [1]), "a Subset of another dataset than train"),
        ({"a": 1}, "not {'a': 1}"),
    ],
)
def test_a_request_that_names_no_examples_says_how_to_name_them(forget, says):
    with pytest.raises(ValueError, match=says):
        Split(TENSORS, forget=forget, test=TEST)


def test_a_request_for_what_train_does_not_hold_is_named():
    with pytest.raises(ValueError, match=r"holds examples 3 of the data behind train"):
        Split(Subset(TENSORS, range(10, 60)), forget=Subset(TENSORS, [3]), test=TEST)


@pytest.mark.parametrize(
    ("test", "says"),
    [
        ((TEST[0][:, :32], TEST[1]), r"examples of test have shape \(32,\), and those of train \(64,\)"),
        ((TEST[0].reshape(-1, 8, 8), TEST[1]), r"shape \(8, 8\)"),
        ((TEST[0], TEST[1] + 10), r"no label of test occurs in train \(10, 11"),
    ],
)
def test_a_test_set_prepared_in_another_way_is_refused(test, says):
    with pytest.raises(ValueError, match=says):
        Split(TRAIN, forget=range(6), test=test)
    with pytest.raises(ValueError, match=says.replace("test", "controls")):
        Split(TRAIN, forget=range(6), test=TEST, controls=test)
