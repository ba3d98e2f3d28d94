"""Data frames, sparse matrices and texts stay what they are; columns hold labels, ids and requests."""

import re
import warnings

import numpy as np
import pytest

from pytest_unlearn import Split, UnlearningTask
from pytest_unlearn.data.dataset import Examples
from pytest_unlearn.data.tables import HASHED, comparable, concatenate, numbers
from pytest_unlearn.data.view import View, joined
from tests.worlds.customers import customers

pandas = pytest.importorskip("pandas")

TRAIN, TEST = customers(60, seed=0), customers(40, seed=0, first=1000)
GONE = [3, 17, 40]


def of_pandas(frame):
    return frame


def of_polars(frame):
    polars = pytest.importorskip("polars")
    lists = {name: frame[name].astype(object).where(frame[name].notna(), None).tolist() for name in frame.columns}
    schema = {"region": polars.Categorical} if "region" in lists else None
    return polars.DataFrame(lists, schema_overrides=schema)


KINDS = pytest.mark.parametrize("made", [of_pandas, of_polars])


def split_of(made=of_pandas, **changed):
    asked = {"forget": {"customer_id": GONE}, **changed}
    return Split((made(TRAIN), "churn"), test=(made(TEST), "churn"), **asked)


@KINDS
def test_views_give_frames_with_names_and_types_and_labels_by_sorted_names(made):
    task = UnlearningTask(split_of(made))
    X, y = task.retain.arrays()
    given = made(TRAIN)
    assert type(X) is type(given)
    assert list(X.columns) == [name for name in TRAIN.columns if name != "churn"]
    assert [X[name].dtype for name in X.columns] == [given[name].dtype for name in X.columns]
    assert task.retain.names == ("leaves", "stays")
    assert [task.retain.names[label] for label in y] == TRAIN.churn[~TRAIN.customer_id.isin(GONE)].tolist()
    row, label = task.forget[0]
    assert row.shape == (1, X.shape[1])
    assert label == y.dtype.type(task.forget.labels[0])


@KINDS
def test_ids_of_a_column_are_the_request_and_its_groups(made):
    split = split_of(made)
    assert set(TRAIN.customer_id.iloc[split.forget_indices]) == set(GONE)
    assert len(split.forget_indices) == TRAIN.customer_id.isin(GONE).sum()
    for ours, theirs in ((split.groups, TRAIN), (split.control_groups, TEST)):
        same = theirs.customer_id.to_numpy()
        assert ((ours[:, None] == ours[None, :]) == (same[:, None] == same[None, :])).all()
    assert not set(split.groups) & set(split.control_groups)


def test_rows_go_by_position_whatever_the_index_says():
    shuffled = TRAIN.sample(frac=1.0, random_state=0)
    mask = shuffled.customer_id.isin(GONE)
    by_index = Split((shuffled, "churn"), forget=shuffled.index[mask], test=(TEST, "churn"), groups="customer_id")
    by_part = Split((shuffled, "churn"), forget=shuffled[mask], test=(TEST, "churn"), groups="customer_id")
    by_mask = Split((shuffled, "churn"), forget=mask, test=(TEST, "churn"), groups="customer_id")
    expected = np.flatnonzero(mask)
    for split in (by_index, by_part, by_mask):
        assert np.array_equal(split.forget_indices, expected)
    X, _ = UnlearningTask(by_mask).forget.arrays()
    assert X.customer_id.tolist() == shuffled.customer_id[mask].tolist()


def test_contents_tell_values_and_neither_kinds_of_frame_nor_order_of_columns():
    pandas_, polars_ = Examples((TRAIN, "churn"), "train"), Examples((of_polars(TRAIN), "churn"), "train")
    turned = Examples((TRAIN[TRAIN.columns[::-1]], "churn"), "train")
    narrow = Examples((TRAIN.astype({"income": "float32", "region": str}), "churn"), "train")
    for other in (polars_, turned, narrow):
        assert other.contents.tolist() == pandas_.contents.tolist()
    assert turned.digests().tolist() != pandas_.digests().tolist()
    assert narrow.digests().tolist() != pandas_.digests().tolist()
    assert len(set(pandas_.contents)) == len(TRAIN)
    changed = TRAIN.copy()
    changed.loc[5, "plan"], changed.loc[6, "usage"] = "other", np.nan
    other = Examples((changed, "churn"), "train")
    assert [i for i in range(len(TRAIN)) if other.contents[i] != pandas_.contents[i]] == [5, 6]


def test_a_row_of_train_in_test_is_found_though_a_column_became_a_float():
    test = pandas.concat([TEST, TRAIN.iloc[[4]]]).astype({"customer_id": float})
    with pytest.raises(ValueError, match=rf"test\[{len(TEST)}\] = train\[4\]"):
        Split((TRAIN, "churn"), forget={"customer_id": GONE}, test=(test, "churn"))


def test_whole_numbers_beyond_what_a_float_holds_are_told_apart():
    frame = pandas.DataFrame({"id": [2**60, 2**60 + 1], "y": [0, 1]})
    assert len(set(Examples((frame, "y"), "train").contents)) == 2


def test_columns_of_test_are_taken_in_the_order_of_train():
    turned = TEST[TEST.columns[::-1]]
    split = Split((TRAIN, "churn"), forget={"customer_id": GONE}, test=(turned, "churn"))
    assert list(split.test.frame.columns) == list(split.train.frame.columns)
    assert split.held_out is split.test


@KINDS
def test_frames_are_stacked_by_name_with_their_categories_united(made):
    first = made(TRAIN[TRAIN.region.isin(["n", "s"])].assign(region=lambda f: f.region.cat.remove_unused_categories()))
    both = concatenate([first, made(TEST)])
    assert both.shape == (len(first) + len(TEST), TRAIN.shape[1])
    assert (
        both["region"].dtype.name == "category" if made is of_pandas else both["region"].dtype == first["region"].dtype
    )
    assert set(both["region"]) == {"n", "s", "e", "w"}


def test_numbers_of_a_frame_are_ranks_of_names_and_counts_of_words():
    notes = [f"called about bill {k} and left" for k in range(4)]
    frame = pandas.DataFrame({"x": [1.0, np.nan, 3.0, 4.0], "plan": list("baba"), "note": notes})
    found = numbers(frame)
    assert found.shape == (4, 2 + HASHED)
    assert found[:, 1].tolist() == [1, 0, 1, 0]
    assert found[:, 2:].sum() >= 4 * 5
    assert np.isnan(found[1, 0])
    assert comparable(frame)[1, 0] == pytest.approx(8 / 3)


def test_sparse_rows_are_told_by_what_they_hold():
    sparse = pytest.importorskip("scipy.sparse")
    rng = np.random.default_rng(0)
    dense = rng.random((30, 8)) * (rng.random((30, 8)) < 0.4)
    dense[7] = dense[2]
    examples = Examples((sparse.coo_matrix(dense), np.arange(30) % 2), "train")
    assert examples.contents[7] == examples.contents[2]
    assert examples.digests()[7] != examples.digests()[2]  # another label
    assert len(set(examples.contents)) == 29
    assert (examples.inputs(np.array([3, 3, 1])).toarray() == dense[[3, 3, 1]]).all()
    assert examples[-1][0].shape == (1, 8)


@pytest.mark.parametrize("made", [list, pandas.Series, np.array, lambda texts: np.array(texts, dtype=object)])
def test_texts_are_one_array_of_objects_however_they_come(made):
    texts = [f"the {k}th letter" for k in range(20)]
    examples = Examples((made(texts), [k % 2 for k in range(20)]), "train")
    assert examples.inputs(np.array([4, 2])).tolist() == [texts[4], texts[2]]
    assert examples[3] == (texts[3], 1)
    assert examples.contents.tolist() == Examples((texts, np.zeros(20, int)), "train").contents.tolist()


@pytest.mark.parametrize(
    "labels",
    [
        ["no", "yes"] * 10,
        np.array(["no", "yes"] * 10, dtype=object),
        pandas.Series(["no", "yes"] * 10),
        pandas.Series(["no", "yes"] * 10, dtype="category"),
        pandas.DataFrame({"y": ["no", "yes"] * 10}),
    ],
)
def test_labels_of_text_are_numbered_by_their_sorted_names(labels):
    examples = Examples((np.arange(40.0).reshape(20, 2), labels), "train")
    assert examples.names == ("no", "yes")
    assert examples.labels.tolist() == [0, 1] * 10


def test_truths_and_categories_of_numbers_are_labels_as_they_are():
    X = np.arange(40.0).reshape(20, 2)
    for labels in (pandas.Series([False, True] * 10, dtype="boolean"), pandas.Series([0, 1] * 10, dtype="category")):
        examples = Examples((X, labels), "train")
        assert (examples.labels.tolist(), examples.names) == ([0, 1] * 10, None)


def test_classes_are_numbered_alike_in_all_parts_though_each_has_its_own():
    X = np.random.default_rng(0).normal(size=(12, 2))
    split = Split((X[:6], list("bcbcbc")), [0], (X[6:9], list("abc")), controls=(X[9:], list("bbd")))
    assert split.train.names == split.test.names == split.held_out.names == ("a", "b", "c", "d")
    assert split.train.labels.tolist() == [1, 2] * 3
    assert split.held_out.labels.tolist() == [1, 1, 3]
    assert split.with_forget([1], controls=(X[6:9], list("abc"))).train.labels.tolist() == [1, 2] * 3


def arrays(frame):
    return frame[["income", "calls"]].to_numpy(), frame.churn


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Split(TRAIN, forget=[0], test=TEST), 'train is a DataFrame without labels: pass (train, "the label'),
        (lambda: Split((TRAIN, "chrun"), [0], (TEST, "churn")), "train has no labels: there is no column 'chrun'"),
        (lambda: Split((TRAIN, TRAIN.churn[:-1]), [0], (TEST, "churn")), "inputs but"),
        (lambda: split_of(forget={"customer_id": [3, 99]}), "forget asks for customer_id 99, and no row of train"),
        (lambda: split_of(forget={"id": [3]}), "forget=\"id\" names no column of train: there is no column 'id'"),
        (lambda: split_of(forget={"customer_id": [3], "plan": ["pro"]}), "takes one column"),
        (lambda: split_of(forget={"customer_id": []}), "forget is empty"),
        (lambda: split_of(groups="person"), 'groups="person" names no column of train'),
        (
            lambda: Split(arrays(TRAIN), [0], arrays(TEST), groups="id"),
            "train is no DataFrame: pass one id for each example instead",
        ),
        (
            lambda: Split((TRAIN, "churn"), [0], (TEST.drop(columns="plan"), "churn")),
            "test lacks the column 'plan' of train",
        ),
        (lambda: Split((TRAIN, "churn"), [0], (TEST.assign(more=1), "churn")), "test has a column 'more' more"),
        (
            lambda: Split((TRAIN, "churn"), [0], (of_polars(TEST), "churn")),
            "the inputs of train are a DataFrame of pandas and those of test a DataFrame of polars",
        ),
        (
            lambda: Split((TRAIN, "churn"), [0], (TEST[["income"]].to_numpy(), TEST.churn)),
            "the inputs of train are a DataFrame of pandas and those of test an array",
        ),
        (
            lambda: split_of(forget=TEST.index[:3] + 10_000),
            "forget names rows that are not in train's index, such as 10000",
        ),
        (
            lambda: Split((TRAIN.assign(income=np.inf), "churn"), [0], (TEST, "churn")),
            "train holds infinity in the column 'income'",
        ),
        (
            lambda: Split((TRAIN.assign(churn=TRAIN.churn.where(TRAIN.index != 4)), "churn"), [0], (TEST, "churn")),
            "the labels of train are missing at 1 positions, the first 4",
        ),
        (lambda: split_of(groups="usage"), "have no 'usage' (the first at position"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_to_do(make, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        make()


def messages(split):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        split()
    return [str(one.message) for one in caught]


@pytest.mark.parametrize("name", ["customer_id", "CustomerID", "customers", "user_uuid", "patient_nr", "email_id"])
def test_several_rows_for_an_id_are_noticed_by_the_name_of_the_column(name):
    train, test = (part.rename(columns={"customer_id": name}) for part in (TRAIN, TEST))
    said = messages(lambda: Split((train, "churn"), forget=np.arange(5), test=(test, "churn")))
    assert len(said) == 1
    assert f"for 60 values of {name!r}" in said[0]
    assert "1 of which have rows both in the request and in what is retained" in said[0]
    assert f'groups="{name}"' in said[0]
    assert messages(lambda: Split((train, "churn"), np.arange(5), (test, "churn"), groups=name)) != said


@KINDS
def test_persons_are_noticed_by_a_request_that_takes_all_their_rows(made):
    train, test = (made(part.rename(columns={"customer_id": "who"})) for part in (TRAIN, TEST))
    said = messages(lambda: Split((train, "churn"), np.flatnonzero(TRAIN.customer_id.isin(GONE)), (test, "churn")))
    assert len(said) == 1
    assert 'groups="who"' in said[0]


def test_columns_that_are_no_persons_are_left_in_peace():
    rng = np.random.default_rng(0)
    plain = TRAIN.drop(columns="customer_id").assign(age=rng.integers(18, 80, len(TRAIN)), zip_code=1234, code="a")
    other = TEST.drop(columns="customer_id").assign(age=30, zip_code=1234, code="a")
    by_threshold = np.flatnonzero(plain.age > 60)
    assert messages(lambda: Split((plain, "churn"), by_threshold, (other, "churn"))) == []
    unique = TRAIN.assign(customer_id=np.arange(len(TRAIN)))
    assert messages(lambda: Split((unique, "churn"), [0, 5], (TEST, "churn"))) == []
    assert messages(split_of) == []


@KINDS
def test_views_joined_for_a_simulated_request_stay_frames_with_their_classes(made):
    task = UnlearningTask(split_of(made))
    both = joined([task.retain, task.controls], "both")
    assert type(both.frame) is type(made(TRAIN))
    assert both.names == task.retain.names
    assert both.labels.tolist() == [*task.retain.labels, *task.controls.labels]
    assert (both.contents[: len(task.retain)] == task.split.train.contents[task.retain.indices]).all()


def test_joined_arrays_keep_the_names_of_their_classes_where_some_have_no_example():
    x, y = np.random.default_rng(0).normal(size=(8, 3)), np.array(list("abcabcab"))
    split = Split((x[:6], y[:6]), forget=[0], test=(x[6:], y[6:]), match=None)
    task = UnlearningTask(split, original=lambda x: np.zeros((len(x), 3)), references=0)
    both = joined([View("part", split.train, np.array([2, 5])), task.controls], "both")
    assert both.names == ("a", "b", "c")
    assert both.labels.tolist() == [2, 2, 0, 1]
    assert both[0][1] == 2
