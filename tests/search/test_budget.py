"""Budget: what a search may spend."""

from datetime import timedelta

import pytest

from pytest_unlearn import Budget
from pytest_unlearn.search.budget import as_budget


@pytest.mark.parametrize(
    ("given", "budget"),
    [
        (60, Budget(requests=60)),
        (timedelta(minutes=2), Budget(seconds=120)),
        (Budget(trainings=9), Budget(trainings=9)),
    ],
)
def test_a_number_is_one_of_requests_and_a_time_is_one_of_seconds(given, budget):
    assert as_budget(given) == budget


@pytest.mark.parametrize("given", [0, -1, True, 2.5, None, "60", timedelta(0)])
def test_what_is_no_budget_is_refused(given):
    with pytest.raises(
        ValueError,
        match=r"must be (at least 1|more than 0)\b.*, not|a budget is a number of requests, a timedelta or a",
    ):
        as_budget(given)


def test_a_search_needs_an_end():
    with pytest.raises(ValueError, match="give its budget requests, trainings or seconds"):
        Budget()


def test_the_first_bound_that_is_reached_ends_it():
    budget = Budget(requests=3, trainings=10, seconds=60)
    assert not budget.spent(requests=2, trainings=9, seconds=59.9)
    assert budget.spent(requests=3)
    assert budget.spent(trainings=10)
    assert budget.spent(seconds=60)
