"""Bounds on a median by order statistics."""

import math

import numpy as np
import pytest
from scipy import stats

from pytest_unlearn.statistics import fewest_for_median, median, needed_for_median, p_value


@pytest.mark.parametrize(
    ("n", "confidence", "rank"), [(5, 0.95, 0), (7, 0.95, 0), (8, 0.95, 1), (20, 0.95, 5), (10, 0.99, 0)]
)
def test_the_bound_is_the_order_statistic_of_the_sign_test(n, confidence, rank):
    estimate = median(np.arange(n)[::-1]).at(confidence)
    assert (estimate.low, estimate.high) == (rank, n - 1 - rank)
    assert stats.binom.cdf(rank, n, 0.5) <= 1 - confidence < stats.binom.cdf(rank + 1, n, 0.5)


def test_too_few_values_bound_nothing():
    for n in range(1, 5):
        estimate = median([0.1] * n).at(0.95)
        assert (estimate.low, estimate.value, estimate.high) == (-math.inf, 0.1, math.inf)
    assert [fewest_for_median(c) for c in (0.6, 0.9, 0.95, 0.96875, 0.99)] == [2, 4, 5, 5, 7]


def test_the_p_value_is_the_sign_tests():
    assert p_value(median([1.0, 2, 3, 4, 5]), 0.5, "high") == pytest.approx(1 / 32, rel=1e-6)
    assert p_value(median([1.0, 2, 3, 4, 5]), 1.5, "high") == pytest.approx(6 / 32, rel=1e-6)
    assert p_value(median([1.0, 2, 3, 4, 5]), 6.0, "low") == pytest.approx(1 / 32, rel=1e-6)


@pytest.mark.parametrize("n", [5, 8, 15])
def test_each_bound_errs_at_most_nominally_whatever_the_law(n):
    for seed, law in enumerate((np.random.Generator.lognormal, np.random.Generator.standard_cauchy)):
        rng = np.random.default_rng(seed)
        centre = 1.0 if law is np.random.Generator.lognormal else 0.0
        estimates = [median(law(rng, size=n)).at(0.95) for _ in range(3000)]
        for wrong in ([e.high < centre for e in estimates], [e.low > centre for e in estimates]):
            expected = stats.binom.cdf(0 if n < 8 else 1 if n < 11 else 3, n, 0.5)
            assert np.mean(wrong) == pytest.approx(expected, abs=4 * math.sqrt(expected / 3000))


def test_the_number_needed_settles_it_four_times_in_five():
    assert needed_for_median([1, 2, 3, 4], 2.5, 0.95) is None
    assert needed_for_median([1, 1, 1, 1], 2, 0.95) == 5
    needed = needed_for_median([1, 1, 1, 1, 3], 2, 0.95)
    rng = np.random.default_rng(0)
    settled = [median(rng.choice([1, 1, 1, 1, 3], size=needed)).at(0.95).high <= 2 for _ in range(1000)]
    assert np.mean(settled) > 0.75


def test_bad_values_are_refused():
    with pytest.raises(ValueError, match="empty"):
        median([])
    with pytest.raises(ValueError, match="not finite"):
        median([1.0, math.nan])
