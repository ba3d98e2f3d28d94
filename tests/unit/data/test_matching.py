"""What is matched by is read once, and refused in one sentence."""

import numpy as np
import pytest

from pytest_unlearn import Split
from pytest_unlearn.data.matching import read_match
from pytest_unlearn.data.view import as_view

pd = pytest.importorskip("pandas")
X = np.arange(12.0).reshape(6, 2)
Y = np.array([0, 1, 0, 1, 0, 1])


def ages(x, _):
    return x[:, 0]


@pytest.mark.parametrize(
    ("match", "by_class", "name"),
    [
        (None, False, None),
        ("class", True, "class"),
        ("propensity", False, "propensity"),
        ("age", False, "age"),
        (ages, False, "ages"),
        (("class", "propensity"), True, "class, propensity"),
        (["class"], True, "class"),
        (("class", ages), True, "class, ages"),
    ],
)
def test_each_way_to_match_has_a_name(match, by_class, name):
    read = read_match(match)
    assert (read.by_class, read.name) == (by_class, name)


@pytest.mark.parametrize("match", [3, "", [], ("age", "region"), ("class", 3)])
def test_anything_else_is_refused(match):
    with pytest.raises(ValueError, match="match is"):
        read_match(match)


def test_columns_are_numbers_or_names():
    frame = pd.DataFrame({"age": [30, 40, 50], "city": ["a", "b", "a"]})
    view = as_view((frame, np.array([0, 1, 0])), "forget")
    assert read_match("age").covariates(view).tolist() == [[30.0], [40.0], [50.0]]
    assert read_match("city").covariates(view).tolist() == ["a", "b", "a"]


def test_a_column_that_is_not_there_is_named():
    frame = as_view((pd.DataFrame({"age": [30, 40]}), np.array([0, 1])), "controls")
    with pytest.raises(ValueError, match=r"'size' names no column of controls, which has columns 'age'"):
        read_match("size").check_columns([frame.examples])
    with pytest.raises(ValueError, match="which has no frame"):
        read_match("size").check_columns([as_view((X, Y), "controls").examples])


@pytest.mark.parametrize(
    ("values", "sentence"),
    [(np.zeros(5), "shape"), (np.zeros((6, 0)), "shape"), (3.0, "shape"), (np.full(6, np.nan), "missing or not")],
)
def test_a_callable_that_gives_no_covariates_is_refused(values, sentence):
    with pytest.raises(ValueError, match=sentence):
        read_match(lambda _x, _y: values).covariates(as_view((X, Y), "forget"))


def test_a_split_keeps_every_control_where_classes_are_not_matched():
    train, test = (X, Y), (X + 100, np.zeros(6, dtype=int))
    assert len(Split(train, forget=[0], test=test, match=ages).control_indices) == 6
    with pytest.raises(ValueError, match="no control for class 1"):
        Split(train, forget=[1], test=test, match=("class", ages))


def test_what_is_matched_by_is_part_of_the_splits_digest():
    splits = [
        Split((X, Y), forget=[0], test=(X + 100, Y), match=match) for match in ("class", None, "propensity", ages)
    ]
    assert len({split.digest for split in splits}) == 4
