"""Intervals for proportions against published constants and their own definitions."""

import numpy as np
import pytest
from scipy import special

from pytest_unlearn.statistics import clopper_pearson, newcombe, wilson


@pytest.mark.parametrize(
    ("successes", "n", "expected"),
    [(0, 10, (0, 0.308497)), (1, 10, (0.002529, 0.445016)), (10, 100, (0.049005, 0.176223))],
)
def test_clopper_pearson_reproduces_its_constants(successes, n, expected):
    assert clopper_pearson(successes, n, 0.95) == pytest.approx(expected, abs=6e-7)


def test_clopper_pearson_is_symmetric_and_closed_at_the_ends():
    assert clopper_pearson(10, 10, 0.95) == pytest.approx((1 - 0.30849710781876083, 1.0))
    assert clopper_pearson(10, 10, 0.95, two_sided=False) == pytest.approx((0.05**0.1, 1.0))


@pytest.mark.parametrize(("limit", "n"), [(0.1, 29), (0.05, 59), (0.02, 149), (0.01, 299), (0.001, 2995)])
def test_zero_events_support_a_limit_from_the_tabled_size_on(limit, n):
    assert (
        clopper_pearson(0, n, 0.95, two_sided=False)[1] <= limit < clopper_pearson(0, n - 1, 0.95, two_sided=False)[1]
    )


def test_each_clopper_pearson_bound_holds_its_confidence_exactly():
    n, p = 30, 0.17
    mass = [special.bdtr(k, n, p) - (special.bdtr(k - 1, n, p) if k else 0) for k in range(n + 1)]
    bounds = [clopper_pearson(k, n, 0.95, two_sided=False) for k in range(n + 1)]
    assert sum(m for m, (low, _) in zip(mass, bounds, strict=True) if low <= p) >= 0.95
    assert sum(m for m, (_, high) in zip(mass, bounds, strict=True) if high >= p) >= 0.95


@pytest.mark.parametrize(("x", "n"), [(0, 20), (3, 20), (20, 20), (81, 263)])
def test_wilson_inverts_the_score_test(x, n):
    z = special.ndtri(0.975)
    for bound in wilson(x, n, 0.95):
        if 0 < bound < 1:
            assert abs(x / n - bound) == pytest.approx(z * np.sqrt(bound * (1 - bound) / n))
    assert wilson(81, 263, 0.95) == pytest.approx((0.2553, 0.3662), abs=5e-5)  # Newcombe 1998a, table I


@pytest.mark.parametrize(
    ("counts", "expected"),
    [((56, 70, 48, 80), (0.0524, 0.3339)), ((9, 10, 3, 10), (0.1705, 0.8090)), ((10, 10, 0, 20), (0.6791, 1.0))],
)
def test_newcombe_reproduces_the_papers_examples(counts, expected):
    assert newcombe(*counts, 0.95) == pytest.approx(expected, abs=5e-5)


def test_one_sided_bounds_are_two_sided_ones_at_twice_the_error():
    assert newcombe(9, 10, 3, 10, 0.95, two_sided=False) == pytest.approx(newcombe(9, 10, 3, 10, 0.90))
    assert wilson(9, 10, 0.95, two_sided=False) == pytest.approx(wilson(9, 10, 0.90))
    assert clopper_pearson(9, 10, 0.95, two_sided=False) == pytest.approx(clopper_pearson(9, 10, 0.90))


@pytest.mark.parametrize("function", [clopper_pearson, wilson])
@pytest.mark.parametrize(("x", "n"), [(1, 0), (-1, 5), (6, 5)])
def test_impossible_counts_are_refused(function, x, n):
    with pytest.raises(ValueError, match="is not a proportion"):
        function(x, n, 0.95)
