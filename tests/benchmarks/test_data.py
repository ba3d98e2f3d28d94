"""What reading the data costs, as ratios within one process."""

import hashlib
import time

import numpy as np
import pytest

from pytest_unlearn import Split, UnlearningTask

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


class Slow:
    """Items that take a millisecond each, and are counted."""

    def __init__(self, count, seed):
        self.rows = np.random.default_rng(seed).random((count, 64), dtype=np.float32)
        self.reads = np.zeros(count, dtype=int)

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        time.sleep(0.001)
        self.reads[index] += 1
        return self.rows[index], index % 2


def test_of_100_000_items_with_an_identity_a_later_process_reads_the_request_and_its_controls(benchmark, tmp_path):
    def split():
        train, test = Slow(100_000, 0), Slow(2_000, 1)
        made = Split(train, np.arange(1000), test, identity="version 1", cache_dir=tmp_path)
        task = UnlearningTask(made)
        for view in (task.forget, task.controls):
            for _ in range(6):  # models
                list(view.batches(256))
        return train, test

    start = time.perf_counter()
    split()
    first = time.perf_counter() - start
    train, test = benchmark.pedantic(split, rounds=5)
    benchmark.extra_info["times faster than the first process"] = first / benchmark.stats.stats.median
    assert train.reads.tolist() == [1] * 1000 + [0] * 99_000
    assert test.reads.tolist() == [1] * 2000
    assert first / benchmark.stats.stats.median > 20
