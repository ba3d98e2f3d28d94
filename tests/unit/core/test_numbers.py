"""Printed numbers have three digits, and never lie on the other side of a limit than they do."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_unlearn.core.numbers import beyond, bound, interval, number, portion, portion_at_most

FINITE = st.floats(-5, 5, allow_nan=False).map(lambda x: round(x, 7))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.7231, "0.723"), (1.2999, "1.30"), (12.345, "12.3"), (123.4, "123"), (12345.0, "12,345"), (None, "n/a"),
     (-0.0001, "0.000")],
)  # fmt: skip
def test_three_digits(value: float | None, text: str) -> None:
    assert number(value) == text


def test_a_bound_is_rounded_away_from_its_estimate() -> None:
    assert interval({"value": 0.6, "low": 0.5809, "high": 0.6201, "method": ""}) == "0.600 [0.580, 0.621]"
    assert interval({"value": 0.5, "low": 0.47, "high": 0.53, "method": ""}) == "0.500 [0.470, 0.530]"


def test_and_takes_the_digits_that_tell_on_which_side_of_the_limit_it_is() -> None:
    assert bound(0.60002, "down", (None, 0.6)) == "0.60002"
    assert bound(0.59996, "up", (None, 0.6)) == "0.600"  # at the limit, which is allowed
    assert bound(0.44998, "up", (0.45, None)) == "0.44998"


@given(FINITE, st.sampled_from(["down", "up", "nearest"]), FINITE, FINITE)
@example(0.55, "up", 0.45, 0.55)
def test_what_is_printed_is_beyond_a_limit_exactly_where_the_number_is(value, towards, one, other):  # type: ignore[no-untyped-def]
    limits = (min(one, other), max(one, other))
    assert beyond(float(bound(value, towards, limits).replace(",", "")), limits) == beyond(value, limits)


@pytest.mark.parametrize(
    ("share", "said"), [(0.604, "up to 60%"), (1.11, "all"), (1.0, "all"), (math.inf, "any part"), (None, "any part")]
)
def test_no_more_than_all_is_said_to_be_left(share: float | None, said: str) -> None:
    assert portion_at_most(share) == said


def test_nor_that_an_estimate_is_more_than_all() -> None:
    assert [portion(share) for share in (0.0, 0.604, 1.11)] == ["0%", "60%", "all"]
