"""Inputs are digested by what they hold: numbers in any precision, text of any width, objects at any address."""

import copy
import datetime
import decimal
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import torch

from pytest_unlearn import Split
from pytest_unlearn.data.content import UnreadableError, content_digest, exact_digest

RNG = np.random.default_rng(0)


def fresh(value):
    """Return an equal value at another address, text included."""
    return "".join(list(value)) if isinstance(value, str) else float(value)


def table(rows):
    return np.array([[fresh(value) for value in row] for row in rows], dtype=object)


ROWS = [[float(RNG.normal()), f"job {RNG.integers(50)}"] for _ in range(90)]
LABELS = np.arange(90) % 2


def rows_of(value):
    made = np.empty(1, dtype=object)
    made[0] = value
    return made


class Measured:
    def __init__(self, weight):
        self.weight, self.unit = weight, "".join(["k", "g"])


def test_copies_in_a_table_of_objects_are_seen():
    train, test = table(ROWS[:60]), table(ROWS[60:] + ROWS[3:5])
    with pytest.raises(ValueError, match=r"test overlaps train: 2 .*the forget set.*test\[30\] = train\[3\]"):
        Split((train, LABELS[:60]), forget=range(10), test=(test, np.r_[LABELS[60:], LABELS[3:5]]))


def test_a_table_of_objects_has_one_digest_each_time_and_another_for_other_content():
    one, two = (Split((table(ROWS[:60]), LABELS[:60]), [0], (table(ROWS[60:]), LABELS[60:])) for _ in range(2))
    assert one.digest == two.digest
    changed = [*ROWS[:59], [ROWS[59][0], "job 50"]]
    assert one.digest != Split((table(changed), LABELS[:60]), [0], (table(ROWS[60:]), LABELS[60:])).digest


@pytest.mark.parametrize(
    "value",
    [
        "a", b"a", 3, 3.5, True, None, ["a", 1], ("a", [2.5]), {"b": 1, "a": "x"}, frozenset({"a", "bc", "d"}),
        datetime.date(2020, 1, 2), decimal.Decimal("1.50"), pathlib.PurePosixPath("a/b"), np.float32(0.1),
        np.arange(3), {"ids": torch.arange(4)}, Measured(2.0), int, len, 10**40,
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_a_value_has_one_digest_in_every_process(value):
    here = content_digest(rows_of(value)), exact_digest(rows_of(value))
    again = rows_of(copy.deepcopy(value))
    assert (content_digest(again), exact_digest(again)) == here
    others = [rows_of(other) for other in ("b", 4, [1], {"a": 1}, Measured(3.0), np.arange(4))]
    assert here[0] not in {content_digest(other) for other in others}


def test_hashes_and_addresses_of_a_process_do_not_enter():
    code = (
        "import numpy as np; from pytest_unlearn.data.content import content_digest;"
        "x = np.empty(2, dtype=object); x[0] = {'a', 'b', 'c', 'd'}; x[1] = {'k': 'job ' + str(7)};"
        "print(content_digest(x).hex())"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(runs) == 1


def test_a_value_counts_and_not_its_container():
    assert content_digest(np.array(["ab", "c"])) == content_digest(np.array(["ab", "c"], dtype="U9"))
    assert content_digest(np.array(["ab", "c"])) == content_digest(np.array(["ab", "c"], dtype=object))
    assert content_digest(table([[3.0, "c"]])) == content_digest(np.array([[3, "c"]], dtype=object))
    assert exact_digest(table([[3.0, "c"]])) != exact_digest(np.array([[3, "c"]], dtype=object))
    assert content_digest(np.array(["ab", "c"])) != content_digest(np.array(["a", "bc"]))
    assert content_digest(table([["ab", "c"]])) != content_digest(table([["ab"], ["c"]]))


@pytest.mark.parametrize("bad", [float("inf"), np.float64("-inf"), [1.0, float("inf")]])
def test_infinity_in_a_table_of_objects_is_refused_by_its_place(bad):
    train = table(ROWS[:60])
    train[7, 0] = bad
    with pytest.raises(ValueError, match=r"train\[7\] holds a non-finite input .*clean it"):
        Split((train, LABELS[:60]), [0], (table(ROWS[60:]), LABELS[60:]))


@pytest.mark.parametrize("gone", [float("nan"), np.float64("nan"), None])
def test_a_value_that_is_missing_is_one_kind_of_content(gone):
    assert content_digest(rows_of([gone, "c"])) == content_digest(rows_of([None, "c"]))
    assert content_digest(rows_of([gone, "c"])) != content_digest(rows_of([0.0, "c"]))


def test_an_object_without_content_is_refused_by_its_place():
    train = table(ROWS[:60])
    train[7, 1] = (one for one in "ab")
    with pytest.raises(ValueError, match=r"train\[7\] holds a generator, whose content cannot be read: make numbers"):
        Split((train, LABELS[:60]), [0], (table(ROWS[60:]), LABELS[60:]))
    loop = []
    loop.append(loop)
    with pytest.raises(UnreadableError, match="holds itself"):
        content_digest(rows_of(loop))
