"""Costs as ratios within one process: absolute times depend on the machine."""

import time

import numpy as np
import pytest
from scipy.stats import norm

from pytest_unlearn.statistics import auc_measure
from tests.published.online_lira import online_scores
from tests.published.online_rmia import online_rmia_scores

pytestmark = pytest.mark.benchmark


def test_an_auc_with_its_interval_costs_at_most_twice_sorting_the_two_sides(benchmark):
    rng = np.random.default_rng(0)
    forget, controls = rng.normal(size=500_000), rng.normal(size=500_000)

    def sorting():
        start = time.perf_counter()
        np.sort(forget)
        np.sort(controls)
        return time.perf_counter() - start

    benchmark.pedantic(lambda: auc_measure(forget, controls).at(0.95), rounds=9, warmup_rounds=1)
    ratio = benchmark.stats.stats.median / float(np.median([sorting() for _ in range(9)]))
    benchmark.extra_info["ratio to sorting the two sides"] = ratio
    assert ratio < 2


@pytest.mark.parametrize("attack", ["lira", "rmia"])
def test_an_attack_takes_a_tenth_of_a_plain_implementation_at_64_references(benchmark, attack):
    rng = np.random.default_rng(0)
    models, examples = 64, 10_000
    references, target = np.log(rng.random((models, examples))), np.log(rng.random(examples))
    included = rng.permuted(np.tile(np.arange(models)[:, None] < models // 2, (1, examples)), axis=0)
    population, theirs = np.log(rng.random(examples)), np.log(rng.random((models, examples)))

    def ours():
        if attack == "lira":
            return online_scores(target, references, included, variance="each")
        return online_rmia_scores(target, references, population, theirs, included)

    def plain():
        if attack == "lira":
            return np.array([_ratio(references[:, e], included[:, e], target[e]) for e in range(examples)])
        out = np.exp(theirs).mean(axis=0)
        gains = np.exp(population) / ((1.3 * out + 0.7) / 2)
        own = np.exp(references)
        return np.array(
            [np.mean(_gain(own[:, e], included[:, e], np.exp(target[e])) / gains > 1) for e in range(examples)]
        )

    start = time.perf_counter()
    expected = plain()
    slow = time.perf_counter() - start
    found = benchmark.pedantic(ours, rounds=5, warmup_rounds=1)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
    benchmark.extra_info["share of a plain implementation's time"] = benchmark.stats.stats.median / slow
    assert benchmark.stats.stats.median < slow / 10


def _ratio(statistics, included, value):
    inside, outside = statistics[included], statistics[~included]
    return norm.logpdf(value, inside.mean(), inside.std(ddof=1)) - norm.logpdf(
        value, outside.mean(), outside.std(ddof=1)
    )


def _gain(probabilities, included, value):
    return value / ((probabilities[included].mean() + probabilities[~included].mean()) / 2)
