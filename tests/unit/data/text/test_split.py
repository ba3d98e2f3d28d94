"""Splits of documents: units, overlaps, and what a classifier's audit says to them."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from pytest_unlearn import Split, TextSplit, UnlearningTask, audit_forgotten
from pytest_unlearn.data.text.documents import read_document
from pytest_unlearn.data.text.overlap import overlap

WORDS = np.random.default_rng(0).integers(0, 10_000, size=(30, 40)).astype(str)
TEXTS = [" ".join(row) for row in WORDS]


def test_a_text_split_is_a_split_whose_items_are_the_documents() -> None:
    task = UnlearningTask(TextSplit(TEXTS[:20], forget=[3, 5], test=TEXTS[20:]), references=0)
    assert isinstance(task.split, Split)
    assert [task.forget[k] for k in range(2)] == [TEXTS[3], TEXTS[5]]
    assert (len(task.retain), len(task.controls)) == (18, 10)
    assert task.split.overlaps.tolist() == [0.0, 0.0]


def test_persons_are_units() -> None:
    split = TextSplit(TEXTS[:20], forget=[0, 1], test=TEXTS[20:], groups=["ann"] * 2 + ["bob"] * 18)
    assert split.groups is not None
    assert len(set(split.groups[split.forget_indices])) == 1
    with pytest.warns(UserWarning, match="1 groups are partly forgotten"):
        TextSplit(TEXTS[:20], forget=[0], test=TEXTS[20:], groups=["ann"] * 2 + ["bob"] * 18)


def test_another_request_has_the_same_documents() -> None:
    split = TextSplit(TEXTS[:20], forget=[0], test=TEXTS[20:]).with_forget([4, 5, 6])
    assert isinstance(split, TextSplit)
    assert split.forget_indices.tolist() == [4, 5, 6]


def test_near_duplicates_in_retain_are_named() -> None:
    near = " ".join([*WORDS[0][:36], "but", "it", "ends", "otherwise"])
    with pytest.warns(UserWarning, match=r"1 documents of the request stand in retained ones.*train\[0\] 86%"):
        TextSplit([*TEXTS[:19], near], forget=[0, 1], test=TEXTS[20:])


def test_exact_copies_are_named_once() -> None:
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        TextSplit([*TEXTS[:19], TEXTS[0]], forget=[0], test=TEXTS[20:])
    assert ["exact copies" in str(one.message) for one in found] == [True]


def test_overlap_counts_runs_of_words_in_any_case() -> None:
    ours = read_document("The quick brown fox jumps over the lazy dog", "document")
    other = read_document("see: THE QUICK BROWN FOX jumps", "document")
    assert overlap([ours], [other], run=4).tolist() == [pytest.approx(2 / 6)]
    assert overlap([read_document("quick brown", "document")], [other], run=13).tolist() == [1.0]
    assert overlap(
        [read_document([1, 2, 3, 4], "document")], [read_document([9, 2, 3], "document")], run=2
    ).tolist() == [pytest.approx(1 / 3)]


def test_a_control_that_was_trained_on_is_refused() -> None:
    with pytest.raises(ValueError, match="test overlaps train: 1 examples are exact copies"):
        TextSplit(TEXTS[:20], forget=[0], test=[*TEXTS[20:], TEXTS[2]])


def test_a_classifier_s_audit_names_the_assertion_for_documents() -> None:
    task = UnlearningTask(TextSplit(TEXTS[:20], forget=[0], test=TEXTS[20:]), references=0)
    with pytest.raises(ValueError, match="assert_text_forgotten"):
        audit_forgotten(lambda x: x, task.forget, require_controls=False)


def test_what_is_no_language_model_is_refused_at_once() -> None:
    split = TextSplit(TEXTS[:20], forget=[0], test=TEXTS[20:])
    with pytest.raises(TypeError, match="nothing is loaded by name here"):
        UnlearningTask(split, original="gpt2", references=0)
    with pytest.raises(TypeError, match=r"references\[0\] is .*<lambda>, which cannot be called with two arguments"):
        UnlearningTask(split, references=[lambda x: x])
