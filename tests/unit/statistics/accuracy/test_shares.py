"""Counts of what chance decided, against binomial numbers known otherwise."""

import pytest
from scipy import stats

from pytest_unlearn.statistics import ShareMeasure, p_value


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
