"""Costs as ratios within one process: absolute times depend on the machine."""

import time

import numpy as np
import pytest

from pytest_unlearn.statistics import auc_measure

pytestmark = pytest.mark.benchmark


def test_an_auc_with_its_interval_costs_a_few_sorts(benchmark):
    rng = np.random.default_rng(0)
    forget, controls = rng.normal(size=500_000), rng.normal(size=500_000)

    def sorts():
        start = time.perf_counter()
        np.sort(forget)
        np.sort(controls)
        return time.perf_counter() - start

    benchmark.pedantic(lambda: auc_measure(forget, controls).at(0.95), rounds=5, warmup_rounds=1)
    baseline = float(np.median([sorts() for _ in range(5)]))
    ratio = benchmark.stats.stats.median / baseline
    benchmark.extra_info["ratio to sorting both halves"] = ratio
    assert ratio < 12
