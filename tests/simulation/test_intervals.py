"""Bounds and verdicts where units are few err as rarely as they say: a short version of docs/judged/intervals.txt."""

import pytest

from tools.judged import intervals
from tools.judged.intervals import (
    BOUNDS,
    FORGOTTEN,
    FOUND,
    LIKELY,
    People,
    Rule,
    SmallClasses,
    misses,
    too_often,
    verdicts,
)

SHORT = (
    *(SmallClasses(rare=0.4, controls=n, auc=a) for n, a in ((4, 0.5), (3, 0.7), (2, 0.9), (1, 0.5))),
    SmallClasses(rare=0.6, controls=3, classes=10, auc=0.7),
    SmallClasses(rare=0.6, controls=1, classes=10, step=1.0),
    SmallClasses(rare=0.6, controls=3, classes=10, references=4, rest=0.1),
    People(forget=30, controls=30, sizes="unequal"),
    People(forget=300, controls=30, sizes="heavy", strata=True),
    People(forget=30, controls=30, sizes="unequal", both=True, effect=3.0),
)


@pytest.mark.parametrize("cell", SHORT, ids=lambda cell: cell.name)
def test_bounds_miss_no_more_often_than_they_say(cell):
    for events in misses(cell, 400):
        assert not too_often(events, 400, tests=2 * len(SHORT)), events


@pytest.mark.slow
@pytest.mark.parametrize("cell", BOUNDS, ids=lambda cell: cell.name)
def test_every_cell_of_the_table_misses_no_more_often_than_it_says(cell):
    for events in misses(cell, 2000):
        assert not too_often(events, 2000, tests=2 * len(BOUNDS)), events


def test_four_controls_with_forty_percent_of_the_request_accuse_nobody():
    row = verdicts(Rule(forget=400, controls=400, rare=(0.4, 4), limit=FORGOTTEN), 60)
    assert not too_often(row["FAIL"], 60), row
    leaking = verdicts(Rule(forget=400, controls=400, rare=(0.4, 4), limit=FOUND, boost=0.5), 60)
    assert not too_often(leaking["FAIL"], 60), leaking


def test_honest_models_pass_with_fifty_controls_where_planning_says_so():
    row = verdicts(Rule(forget=400, controls=50, limit=LIKELY), 60)
    assert row["PASS"] >= 0.5 * 60, row  # 70%, less three standard errors
    assert row["FAIL"] == 0
    assert all(0.475 < value < 0.525 for value in row["mean AUC of deciding attacks"]), row


def test_too_often_is_a_binomial_test():
    assert not too_often(5, 100)
    assert too_often(13, 100)
    assert not too_often(13, 100, tests=100)
    assert intervals.rate(0, 100) == "0.0% (at most 3.0%)"
