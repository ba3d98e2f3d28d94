"""Lower bounds on epsilon: published and closed-form values, and that they are bounds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special, stats

from pytest_unlearn.statistics import (
    delta_of_mu,
    epsilon_bound,
    epsilon_ceiling,
    epsilon_gaussian,
    epsilon_of_mu,
    epsilon_of_rates,
)
from tests.published.epsilon_one_run import epsilon_one_run, one_run_p_value


class TestRates:
    def test_the_published_value_of_a_perfect_test(self):
        # Jagielski 2020, the repository's own example
        assert epsilon_of_rates(500, 500, 0, 500, 0.99) == pytest.approx(4.541915810224092, rel=1e-13)

    @pytest.mark.parametrize(
        ("n", "ceiling"), [(50, 2.57), (100, 3.28), (200, 3.98), (500, 4.91), (1000, 5.60), (5000, 7.21)]
    )
    def test_the_ceiling_of_an_audit(self, n, ceiling):
        assert epsilon_ceiling(n, n, 0.95, 1e-5) == pytest.approx(ceiling, abs=5e-3)

    def test_either_kind_of_error_may_refute(self):
        few_false_accusations, few_misses = (
            epsilon_of_rates(300, 500, 1, 500, 0.95),
            epsilon_of_rates(499, 500, 200, 500, 0.95),
        )
        assert few_false_accusations == pytest.approx(few_misses)
        assert few_misses > 3

    def test_chance_refutes_nothing(self):
        assert epsilon_of_rates(250, 500, 250, 500, 0.95) == 0.0
        assert epsilon_of_rates(0, 5, 5, 5, 0.95, delta=0.5) == 0.0


class TestOneRun:
    @pytest.mark.parametrize(("correct", "low"), [(60, 0.0519), (75, 0.7022), (90, 1.6308), (100, 3.4929654)])
    def test_closed_and_published_values(self, correct, low):
        assert epsilon_one_run(correct, 100).low == pytest.approx(low, abs=5e-5)

    def test_all_right_is_a_closed_form_and_the_ceiling(self):
        bound = epsilon_one_run(100, 100)
        assert bound.low == bound.ceiling == pytest.approx(special.logit(0.05 ** (1 / 100)), rel=1e-10)

    def test_delta_costs(self):
        pure, approximate = (epsilon_one_run(90, 100, delta=delta).low for delta in (0.0, 1e-3))
        assert 0 < approximate < pure
        assert epsilon_one_run(90, 100, delta=1e-3, examples=1000).low < approximate

    def test_the_p_value_is_that_of_the_binomial(self):
        assert one_run_p_value(60, 100, 0.0) == pytest.approx(stats.binom.sf(59, 100, 0.5), rel=1e-12)
        assert one_run_p_value(0, 100, 1.0) == 1.0

    def test_abstaining_helps_who_is_sure_of_few(self):
        assert epsilon_one_run(50, 50, examples=1000).low > epsilon_one_run(525, 1000).low

    @pytest.mark.slow
    def test_randomised_response_is_refuted_at_most_as_often_as_allowed(self):
        rng = np.random.default_rng(0)
        chance = special.expit(1.0)
        right = rng.binomial(200, chance, size=2000)
        bounds = {k: epsilon_one_run(int(k), 200).low for k in set(right.tolist())}
        wrong = np.mean([bounds[k] > 1.0 for k in right.tolist()])
        assert 0.01 < wrong <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 2000)


class TestGaussian:
    @pytest.mark.parametrize(("delta", "epsilon"), [(1e-5, 4.3772), (1e-3, 3.1387), (1e-1, 1.1603)])
    def test_the_curve_of_mu_one(self, delta, epsilon):
        assert epsilon_of_mu(1.0, delta) == pytest.approx(epsilon, abs=5e-5)

    def test_delta_at_zero_is_a_closed_form(self):
        assert delta_of_mu(1.3, 0.0) == pytest.approx(2 * special.ndtr(0.65) - 1, rel=1e-14)
        assert epsilon_of_mu(0.1, 0.5) == 0.0

    def test_the_bound_is_below_the_truth_and_says_what_it_assumes(self):
        rng = np.random.default_rng(0)
        bound = epsilon_gaussian(rng.normal(1, 1, 5000), rng.normal(size=5000))
        assert 0.5 * epsilon_of_mu(1.0, 1e-5) < bound.low < epsilon_of_mu(1.0, 1e-5)
        assert bound.assumes == "the mechanism is Gaussian"

    def test_no_delta_no_bound(self):
        with pytest.raises(ValueError, match="choose a delta"):
            epsilon_of_mu(1.0, 0.0)


class TestSplits:
    def test_a_leak_is_seen_and_chance_is_not(self):
        rng = np.random.default_rng(0)
        seen = epsilon_bound(rng.normal(2, 1, 1000), rng.normal(size=1000))
        assert 1.5 < seen.low < seen.ceiling
        assert epsilon_bound(rng.normal(size=1000), rng.normal(size=1000)).low == 0.0

    def test_a_perfect_attack_reaches_the_ceiling(self):
        bound = epsilon_bound(np.arange(100.0) + 1000, np.arange(100.0))
        assert bound.low == pytest.approx(bound.ceiling)

    def test_the_same_scores_give_the_same_bound(self):
        forget, controls = np.random.default_rng(1).normal(size=(2, 60))
        assert epsilon_bound(forget, controls) == epsilon_bound(forget, controls)

    @pytest.mark.slow
    def test_randomised_response_is_refuted_at_most_as_often_as_allowed(self):
        # epsilon is 1 exactly, and no threshold shows more
        rng = np.random.default_rng(0)
        wrong = 0
        for _ in range(200):
            forget, controls = rng.random(300) < special.expit(1.0), rng.random(300) < special.expit(-1.0)
            wrong += epsilon_bound(forget.astype(float), controls.astype(float), delta=0.0).low > 1.0
        assert wrong / 200 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 200)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: epsilon_of_rates(11, 10, 0, 10, 0.95), "not a proportion"),
        (lambda: epsilon_of_rates(1, 10, 0, 10, 0.95, delta=1.0), "delta is 1.0"),
        (lambda: epsilon_bound([1.0], [0.0, 1.0]), "are too few"),
        (lambda: epsilon_bound([1.0, np.nan], [0.0, 1.0]), "finite"),
        (lambda: one_run_p_value(5, 10, 1.0, examples=8), "one a guess at least"),
        (lambda: delta_of_mu(0.0, 1.0), "it is positive"),
    ],
)
def test_what_makes_no_sense_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()
