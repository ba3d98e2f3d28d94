"""Audit a linear model of many classes in a process of its own; print what that took as JSON.

Run as `python -m tests.benchmarks.many_classes EXAMPLES CLASSES REFERENCES`.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path

import numpy as np
import torch

from pytest_unlearn import Split, UnlearningTask, audit_forgotten

FEATURES = 32


def data(count, classes, seed):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, FEATURES)).astype(np.float32), rng.permutation(count) % classes


def linear(classes, seed):
    torch.manual_seed(seed)
    return torch.nn.Linear(FEATURES, classes)


def task_of(examples, classes, references):
    """Make a request of half of the examples; the other half are controls."""
    half = examples // 2
    train, test = data(half + 2 * classes, classes, 1), data(half, classes, 2)
    models = [linear(classes, k) for k in range(references)]
    return UnlearningTask(Split(train, np.arange(half), test), original=linear(classes, 100), references=models)


def resident():
    """The memory of this process that is in use, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def main(examples, classes, references):
    torch.set_num_threads(1)
    audit_forgotten(linear(2, 200), task_of(400, 2, references).forget)  # libraries are loaded
    task, model = task_of(examples, classes, references), linear(classes, 200)
    before = peak = resident()
    ended = threading.Event()

    def watch():
        nonlocal peak
        while not ended.wait(0.02):
            peak = max(peak, resident())

    watching = threading.Thread(target=watch)
    watching.start()
    start = time.process_time()
    audit_forgotten(model, task.forget)
    seconds = time.process_time() - start
    ended.set()
    watching.join()
    print(json.dumps({"megabytes": peak - before, "seconds": seconds}))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
