"""Data with an identity are read by the first process alone, and what is read later is compared with what was."""

import os

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from pytest_unlearn import Split, UnlearningTask
from pytest_unlearn.core.array_memory import forget_all
from pytest_unlearn.core.variables import CACHE_KEY
from pytest_unlearn.data.identity import file_ids
from pytest_unlearn.data.kept_items import KeptItems

X, Y = load_digits(return_X_y=True)
X = X.astype(np.float32)
FORGET = np.arange(3, 43)


class Lazy:
    """A dataset of digits that counts how often each item is read."""

    def __init__(self, where, made=np.asarray, labels=int):
        self.rows, self.labels, self.made, self.label = X[where].copy(), Y[where].copy(), made, labels
        self.reads = np.zeros(len(self.rows), dtype=int)

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        self.reads[index] += 1
        return self.made(self.rows[index]), self.label(self.labels[index])


TRAIN, TEST = slice(0, 1000), slice(1000, 1500)


def split_of(train, test, folder, identity="digits 1"):
    return Split(train, FORGET, test, identity=identity, cache_dir=folder)


@pytest.mark.parametrize("made", [np.asarray, torch.tensor], ids=["arrays", "tensors"])
@pytest.mark.parametrize("identity", ["digits 1", {"train": "a", "test": list(range(500))}], ids=["key", "parts"])
def test_a_second_process_reads_forget_and_controls_alone_and_each_once(tmp_path, made, identity):
    first = split_of(Lazy(TRAIN, made), Lazy(TEST, made), tmp_path, identity)
    train, test = Lazy(TRAIN, made), Lazy(TEST, made)
    again = split_of(train, test, tmp_path, identity)
    task = UnlearningTask(again)
    for _ in range(2):
        for view in (task.forget, task.controls, task.test):
            inputs = np.concatenate([np.asarray(batch) for batch in view.batches(64)])
            assert (inputs == np.stack([np.asarray(x) for x, _ in view])).all()
            assert isinstance(view[0][0], torch.Tensor) == (made is torch.tensor)
    assert train.reads.tolist() == [int(index in FORGET) for index in range(1000)]
    assert test.reads.tolist() == [1] * 500
    assert again.digest == first.digest
    assert task.retain.digest == UnlearningTask(first).retain.digest


def test_classes_by_name_are_remembered_by_name(tmp_path):
    def name(label):
        return f"digit {label}"

    first = split_of(Lazy(TRAIN, labels=name), Lazy(TEST, labels=name), tmp_path)
    again = split_of(Lazy(TRAIN, labels=name), Lazy(TEST, labels=name), tmp_path)
    assert (again.digest, again.train.names) == (first.digest, first.train.names)


def test_a_wrong_identity_is_caught_on_a_sample_of_the_request(tmp_path):
    split_of(Lazy(TRAIN), Lazy(TEST), tmp_path)
    for part, change in ((0, "rows"), (0, "labels"), (1, "rows"), (1, "labels")):
        parts = Lazy(TRAIN), Lazy(TEST)
        getattr(parts[part], change)[:] = getattr(parts[part], change)[::-1].copy()
        with pytest.raises(ValueError, match=r"\[\d+\] is not what the identity of .* give changed data another"):
            split_of(*parts, tmp_path)


def test_an_item_that_changed_is_caught_when_it_is_read(tmp_path):
    split_of(Lazy(TRAIN), Lazy(TEST), tmp_path)
    train = Lazy(TRAIN)
    train.rows[700, 3] += 1
    task = UnlearningTask(split_of(train, Lazy(TEST), tmp_path))
    with pytest.raises(ValueError, match=r"train\[700\] is not what the identity"):
        task.retain.arrays()


def test_another_identity_length_or_form_of_data_is_read_anew(tmp_path):
    split_of(Lazy(TRAIN), Lazy(TEST), tmp_path)
    for train, identity in ((Lazy(TRAIN), "digits 2"), (Lazy(slice(0, 999)), "digits 1")):
        split_of(train, Lazy(TEST), tmp_path, identity)
        assert (train.reads >= 1).all()


def test_arrays_in_memory_are_not_hashed_again_and_still_compared(tmp_path):
    first = split_of((X[TRAIN], Y[TRAIN]), (X[TEST], Y[TEST]), tmp_path)
    assert split_of((X[TRAIN], Y[TRAIN]), (X[TEST], Y[TEST]), tmp_path).digest == first.digest
    with pytest.raises(ValueError, match=r"train\[3\] is not what the identity"):
        split_of((X[TRAIN] + 1, Y[TRAIN]), (X[TEST], Y[TEST]), tmp_path)


@pytest.mark.parametrize("damage", ["cut", "changed", "note", "unsealed"])
def test_what_was_remembered_and_is_not_as_it_was_written_is_not_taken(tmp_path, monkeypatch, damage):
    split_of(Lazy(TRAIN), Lazy(TEST), tmp_path)
    for path in (tmp_path / "data").glob("*.json" if damage == "note" else "*.npz"):
        content = bytearray(path.read_bytes())
        if damage == "cut":
            content = content[: len(content) // 2]
        elif damage != "unsealed":
            content[len(content) // 2] ^= 1
        path.write_bytes(content)
    if damage == "unsealed":
        monkeypatch.setenv("UNLEARN_RUN_KEY", "another run that has its own key")
        monkeypatch.setenv(CACHE_KEY, "a key that outlives the run and sealed nothing")
    train = Lazy(TRAIN)
    split_of(train, Lazy(TEST), tmp_path)
    assert (train.reads >= 1).all()


def test_what_is_remembered_holds_no_inputs_and_goes_with_the_cache(tmp_path):
    split_of(Lazy(TRAIN), Lazy(TEST), tmp_path)
    paths = sorted((tmp_path / "data").iterdir())
    assert [path.suffix for path in paths].count(".npz") == 2
    assert not any(X[5].tobytes() in path.read_bytes() for path in paths)
    assert forget_all(tmp_path) == 2
    assert list((tmp_path / "data").iterdir()) == []


class Folder(Lazy):
    """Digits in files, one each, as ImageFolder lists them."""

    def __init__(self, root, where):
        super().__init__(where)
        self.samples = []
        for k, label in enumerate(self.labels):
            path = root / str(label) / f"{k}.npy"
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                np.save(path, self.rows[k])
            self.samples.append((str(path), int(label)))

    def __getitem__(self, index):
        self.reads[index] += 1
        path, label = self.samples[index]
        return np.load(path), label


@pytest.mark.slow
def test_files_are_known_by_path_size_and_time_and_each_folder_is_listed_once(tmp_path, monkeypatch):
    parts = [Folder(tmp_path / name, where) for name, where in (("train", TRAIN), ("test", TEST))]
    split_of(*parts, tmp_path / "cache", "files")
    listed, scandir = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda folder: listed.append(folder) or scandir(folder))
    again = [Folder(tmp_path / name, where) for name, where in (("train", TRAIN), ("test", TEST))]
    split_of(*again, tmp_path / "cache", "files")
    assert len(listed) == len(set(listed)) == 20
    assert set(np.flatnonzero(again[0].reads)) <= set(FORGET)
    path = again[0].samples[700][0]
    np.save(path, np.load(path))
    os.utime(path, ns=(1, 1))
    third = [Folder(tmp_path / name, where) for name, where in (("train", TRAIN), ("test", TEST))]
    split_of(*third, tmp_path / "cache", "files")
    assert (third[0].reads >= 1).all()
    assert third[1].reads.sum() < 500


def test_a_file_that_is_gone_is_named(tmp_path):
    with pytest.raises(ValueError, match="there is no file '.*gone.npy'"):
        file_ids([tmp_path / "gone.npy"])


@pytest.mark.parametrize(
    ("identity", "says"),
    [
        (3, "identity is a text, one id an example"), ("", "identity is empty"), ([1, 2], "2 ids for the 1000"),
        ([0] * 1000, "the same id"), ({"valid": "a"}, "identity names 'valid'"), ("files", "list their files"),
        ({"train": "files"}, "train lists no files"),
    ],
)  # fmt: skip
def test_an_identity_that_stands_for_nothing_is_refused_before_anything_is_read(tmp_path, identity, says):
    train = Lazy(TRAIN)
    with pytest.raises((TypeError, ValueError), match=says):
        split_of(train, Lazy(TEST), tmp_path, identity)
    assert train.reads.sum() == 0


def test_items_beyond_what_memory_holds_lie_in_a_file_of_what_was_read(monkeypatch):
    monkeypatch.setattr("pytest_unlearn.data.kept_items.KEEP_BYTES", 1000)
    read = []
    kept = KeptItems(10**9, 7, X[7])  # 256 GB, had they all been read
    rows = kept.take(np.array([9, 7, 9, 8]), lambda index: read.append(index) or X[index])
    assert (rows == X[[9, 7, 9, 8]]).all()
    assert read == [9, 8]


def test_items_of_several_types_are_stacked_as_they_come():
    items = [np.zeros(3, np.float32), np.ones(3, np.float32), np.ones(3)]
    assert KeptItems(3, 0, items[0]).take(np.arange(3), items.__getitem__).dtype == np.float64
