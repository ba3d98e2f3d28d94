"""Costs as ratios within one process: absolute times depend on the machine."""

import time

import numpy as np
import pytest
from scipy.stats import rankdata

from pytest_unlearn.statistics import auc_measure

pytestmark = pytest.mark.benchmark


def test_an_auc_with_its_interval_costs_about_as_much_as_ranking_the_scores(benchmark):
    rng = np.random.default_rng(0)
    forget, controls = rng.normal(size=500_000), rng.normal(size=500_000)
    pooled = np.concatenate([forget, controls])

    def ranking():
        start = time.perf_counter()
        rankdata(pooled)
        return time.perf_counter() - start

    benchmark.pedantic(lambda: auc_measure(forget, controls).at(0.95), rounds=5, warmup_rounds=1)
    ratio = benchmark.stats.stats.median / float(np.median([ranking() for _ in range(5)]))
    benchmark.extra_info["ratio to ranking the pooled scores"] = ratio
    assert ratio < 6
