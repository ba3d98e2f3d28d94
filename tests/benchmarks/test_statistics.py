"""Costs as ratios within one process: absolute times depend on the machine."""

import time

import numpy as np
import pytest

from pytest_unlearn.statistics import auc_measure

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
