"""What greedy decoding gives back: by hand, by loops over documents, and where public code is off."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_unlearn.statistics.verbatim.token_hits import (
    exact_memorisation,
    extraction_strength,
    longest_prefix,
    longest_run,
)

EVERY = [extraction_strength, exact_memorisation, longest_prefix, longest_run]


def documents(*texts: str) -> tuple[np.ndarray, np.ndarray]:
    """Documents written with x for a hit and . for a miss."""
    offsets = np.concatenate([[0], np.cumsum([len(text) for text in texts])])
    return np.array([letter == "x" for text in texts for letter in text]), offsets


def strength_by_definition(text: str) -> float:
    """1 - min{k : all tokens after the first k are hits} / T, k up to T."""
    return 1 - min(k for k in range(len(text) + 1) if "." not in text[k:]) / len(text)


@pytest.mark.parametrize("length", [1, 2, 5, 40])
def test_no_token_right_is_nought_and_all_right_is_one_exactly(length):
    hit, offsets = documents("." * length, "x" * length)
    for share in (extraction_strength, exact_memorisation):
        assert share(hit, offsets).tolist() == [0.0, 1.0]
    for count in (longest_prefix, longest_run):
        assert count(hit, offsets).tolist() == [0, length]


def test_a_wrong_answer_of_one_token_is_not_extracted():
    # public code never reaches k = T, and scores 1/T: 1 for one token, .2 for five
    assert extraction_strength(*documents(".", ".....")).tolist() == [0.0, 0.0]


def test_by_hand():
    hit, offsets = documents("xx.xxx.x", ".xx", "xx.")
    assert extraction_strength(hit, offsets).tolist() == [1 / 8, 2 / 3, 0]
    assert exact_memorisation(hit, offsets).tolist() == [6 / 8, 2 / 3, 2 / 3]
    assert longest_prefix(hit, offsets).tolist() == [2, 0, 2]
    assert longest_run(hit, offsets).tolist() == [3, 2, 2]


def test_runs_do_not_cross_documents():
    assert longest_run(*documents("xx", "xxx", ".x", "x")).tolist() == [2, 3, 1, 1]


def test_they_are_what_loops_over_documents_give():
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(["x", "."], rng.integers(1, 12), p=[0.7, 0.3])) for _ in range(300)]
    hit, offsets = documents(*texts)
    assert extraction_strength(hit, offsets) == pytest.approx([strength_by_definition(text) for text in texts])
    assert exact_memorisation(hit, offsets).tolist() == [text.count("x") / len(text) for text in texts]
    assert longest_prefix(hit, offsets).tolist() == [len(text.split(".")[0]) for text in texts]
    assert longest_run(hit, offsets).tolist() == [max(map(len, text.split("."))) for text in texts]


@pytest.mark.parametrize("measure", EVERY, ids=lambda measure: measure.__name__)
@pytest.mark.parametrize(
    ("hit", "offsets", "said"),
    [
        (np.array([1, 0]), np.array([0, 2]), "one row of booleans"),
        (np.array([[True]]), np.array([0, 1]), "one row of booleans"),
        (np.array([True, False]), np.array([0, 1]), "rise from 0 to 2"),
        (np.array([True, False]), np.array([0, 1, 1, 2]), "no document is empty"),
        (np.array([True]), np.array([0.0, 1.0]), "whole numbers"),
        (np.array([], dtype=bool), np.array([0]), "whole numbers"),
    ],
    ids=["numbers", "rows", "short", "empty-document", "floats", "no-document"],
)
def test_what_fits_no_documents_is_refused(measure, hit, offsets, said):
    with pytest.raises(ValueError, match=said):
        measure(hit, offsets)
