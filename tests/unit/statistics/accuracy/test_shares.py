"""Counts of what chance decided, against binomial numbers known otherwise."""

import pytest
from scipy import stats

from pytest_unlearn.statistics import ShareMeasure, backdoor_test_errors, p_value


@pytest.mark.parametrize(
    ("queries", "threshold", "chance", "success", "alpha", "beta"),
    [(10, 5, 0.1, 0.8, 0.00163, 0.00637), (30, 10, 0.1, 0.6, 4.5e-4, 8.6e-4)],
)
def test_the_backdoor_test_errs_as_published(queries, threshold, chance, success, alpha, beta):
    found = backdoor_test_errors(queries, threshold, chance=chance, success=success)
    assert found == pytest.approx((alpha, beta), rel=0.01)


def test_the_ends_of_the_threshold_are_certain():
    assert backdoor_test_errors(5, 0, chance=0.1, success=0.8) == (1.0, 0.0)
    assert backdoor_test_errors(5, 5, chance=0.1, success=0.8) == pytest.approx((1e-5, 1 - 0.8**5))


@pytest.mark.parametrize("wrong", [{"queries": 0}, {"threshold": 6}, {"chance": 0.0}, {"success": 1.0}])
def test_impossible_plans_are_refused(wrong):
    with pytest.raises(ValueError):
        backdoor_test_errors(**{"queries": 5, "threshold": 2, "chance": 0.1, "success": 0.8, **wrong})


def test_the_probability_by_chance_is_the_binomial_tail():
    assert ShareMeasure(successes=8, n=10).chance(0.5) == pytest.approx(56 / 1024)
    assert ShareMeasure(successes=0, n=10).chance(0.5) == 1.0


def test_the_p_value_of_a_share_is_its_exact_tail():
    measure = ShareMeasure(successes=30, n=40)
    assert p_value(measure, 0.5, "high") == pytest.approx(stats.binom.sf(29, 40, 0.5), rel=1e-6)
    assert p_value(measure, 0.9, "low") == pytest.approx(stats.binom.cdf(30, 40, 0.9), rel=1e-6)


@pytest.mark.parametrize("counts", [(-1, 5), (6, 5), (0, 0)])
def test_impossible_counts_are_refused(counts):
    with pytest.raises(ValueError, match="not a proportion"):
        ShareMeasure(successes=counts[0], n=counts[1])
