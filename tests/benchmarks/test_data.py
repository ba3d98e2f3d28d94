"""What reading the data costs, as ratios within one process."""

import hashlib
import time

import numpy as np
import pytest

from pytest_unlearn import Split

pytestmark = pytest.mark.benchmark


def test_a_split_of_a_million_rows_costs_at_most_twice_one_hash_over_the_buffer(benchmark):
    train = np.random.default_rng(0).random((1_000_000, 784), dtype=np.float32)
    test = np.random.default_rng(1).random((10_000, 784), dtype=np.float32)
    labels, times = np.arange(len(train)) % 10, []

    def hashing():
        start = time.process_time()
        hashlib.blake2b(train).digest()
        times.append(time.process_time() - start)

    def split():
        start = time.process_time()
        Split((train, labels), forget=np.arange(1000), test=(test, labels[: len(test)]))
        ours.append(time.process_time() - start)

    ours: list[float] = []
    benchmark.pedantic(split, setup=hashing, rounds=5)
    ratio = float(np.median(ours) / np.median(times))
    benchmark.extra_info["times one hash over the buffer"] = ratio
    assert ratio < 2
