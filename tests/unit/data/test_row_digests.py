"""Rows of an array are digested in chunks as they would be one by one, and rows that occur again are found."""

import numpy as np
import pytest
import torch

from pytest_unlearn.data import row_digests
from pytest_unlearn.data.content import DIGEST_SIZE, content_digest, exact_digest
from pytest_unlearn.data.dataset import Examples
from pytest_unlearn.data.row_digests import digest_array, digest_rows, first_in
from pytest_unlearn.data.view import View

RNG = np.random.default_rng(0)
KINDS = ["f2", "f4", ">f4", "f8", "u1", "i8", ">i4", "?", "c8", "M8[s]"]


def rows_of(kind, shape):
    values = RNG.integers(0, 2 if kind == "?" else 100, shape)
    rows = (values / 7 if np.dtype(kind).kind in "fc" else values).astype(kind)
    if rows.dtype.kind == "f":
        rows.reshape(len(rows), -1)[::3, :1] = -0.0
    return rows


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(50,), (50, 5), (7, 2, 3, 4), (3, 0)])
def test_rows_of_any_type_have_the_digests_that_each_has_alone(monkeypatch, kind, shape):
    monkeypatch.setattr(row_digests, "CHUNK", 64)
    rows = rows_of(kind, shape)
    alone = [rows[k : k + 1].reshape(shape[1:]) for k in range(len(rows))]
    contents, exact = digest_rows(rows)
    assert contents.tolist() == digest_array([content_digest(row) for row in alone]).tolist()
    assert exact.tolist() == digest_array([exact_digest(row) for row in alone]).tolist()


def test_every_second_row_and_column_of_a_larger_array_is_read_as_it_lies():
    rows = rows_of("f4", (40, 6))
    assert digest_rows(rows[::2, ::2])[1].tolist() == digest_rows(rows[::2, ::2].copy())[1].tolist()


def test_a_missing_value_of_a_table_is_one_content_and_infinity_is_refused_by_its_row(monkeypatch):
    monkeypatch.setattr(row_digests, "CHUNK", 64)
    rows = rows_of("f4", (50, 5))
    rows[3, 1] = np.nan
    other = rows.copy()
    other.view(np.uint32)[3, 1] += 1  # another NaN
    assert digest_rows(rows)[1].tolist() == digest_rows(other)[1].tolist()
    for broken, value in ((rows, np.inf), (rows[:, :, None], np.nan)):
        broken = np.where(np.isnan(broken), 0, broken)
        broken[41, 2] = value
        with pytest.raises(ValueError, match=r"train\[41\] holds a non-finite input"):
            Examples((broken, np.zeros(50, int)), "train")


def test_data_that_differ_in_any_bit_type_shape_label_or_order_have_other_digests():
    rows, labels = rows_of("f4", (30, 6)), np.arange(30) % 3
    turned = rows[np.r_[1, 0, 2:30]]
    signed, last = rows.copy(), rows.copy()
    signed[0] = -signed[0]
    signed[0, 0] = 0.0
    last.view(np.uint8)[-1, -1] ^= 1
    data = [
        (rows, labels), (rows, np.roll(labels, 1)), (rows, labels + 1), (turned, labels), (signed, labels),
        (last, labels), (rows.astype("f8"), labels), (rows.astype(">f4"), labels), (rows.reshape(30, 2, 3), labels),
        (rows.view("u4"), labels), (rows[:29], labels[:29]), (rows.reshape(15, 12), labels[:15]),
    ]  # fmt: skip
    digests = {View("v", part, np.arange(len(part))).digest for part in (Examples(pair, "train") for pair in data)}
    assert len(digests) == len(data)


def test_tensors_have_the_digests_of_their_arrays():
    rows, labels = rows_of("f4", (30, 6)), np.arange(30) % 3
    ours, theirs = Examples((rows, labels), "a"), Examples((torch.tensor(rows), torch.tensor(labels)), "b")
    assert ours.digests().tolist() == theirs.digests().tolist()


def test_the_first_occurrence_is_found_and_equal_beginnings_are_not_enough():
    digests = [RNG.bytes(DIGEST_SIZE) for _ in range(100)]
    twin = digests[3][:8] + bytes(DIGEST_SIZE - 8)  # what an adversary makes to be taken for another
    among = digest_array([*digests, digests[7], twin])
    sought = digest_array([digests[7], twin, RNG.bytes(DIGEST_SIZE), digests[3][:8] + RNG.bytes(DIGEST_SIZE - 8)])
    assert first_in(sought, among).tolist() == [7, 101, -1, -1]
    assert first_in(among, sought).tolist() == [0 if k in (7, 100) else 1 if k == 101 else -1 for k in range(102)]
    assert first_in(sought, among[:0]).tolist() == [-1] * 4
    assert first_in(among[:0], sought).tolist() == []


def test_a_digest_that_ends_in_zeros_is_that_of_the_item_when_it_is_read_again():
    rows = RNG.random((2000, 3), dtype=np.float32)
    pairs = [(row, k % 2) for k, row in enumerate(rows)]
    endings = {len(digest) for digest in Examples(pairs, "train").contents.tolist()}
    assert len(endings) > 1
    for start in range(0, 2000, 200):  # all of them are read again
        Examples(pairs[start : start + 200], "train")
