"""What audits of a release cost beside one retraining, once original and references are trained."""

import time
from functools import cache

import numpy as np
import pytest

from pytest_unlearn import Split, TorchRecipe, UnlearningTask, audit_forgotten, audit_release
from tests.benchmarks.comparison import compare
from tests.benchmarks.networks import images, small_cnn
from tests.benchmarks.test_training import Resident

pytestmark = pytest.mark.benchmark

FORGET, TRAIN, CONTROLS = 1_000, 5_000, 5_000
RECIPE = TorchRecipe(small_cnn, epochs=10)


@cache
def request_data():
    """Fashion-MNIST with a tenth of its labels drawn anew, so that there is something to remember."""
    x, y = (part.numpy() for part in images(TRAIN + CONTROLS))
    rng = np.random.default_rng(0)
    forget, labels = np.sort(rng.choice(TRAIN, FORGET, replace=False)), y[:TRAIN].copy()
    noisy = rng.random(TRAIN) < 0.1
    labels[noisy] = rng.integers(0, 10, noisy.sum())
    return (x[:TRAIN], labels), forget, (x[TRAIN:], y[TRAIN:])


def retrained(seed):
    (x, y), forget, _ = request_data()
    kept = np.setdiff1d(np.arange(TRAIN), forget)
    return RECIPE(Resident(x[kept], y[kept]), seed=seed)


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory):
    """A cache that holds the original and the references."""
    return tmp_path_factory.mktemp("cache")


def task_of(cache_dir):
    train, forget, test = request_data()
    task = UnlearningTask(Split(train, forget, test), RECIPE, references=4, cache_dir=cache_dir)
    _ = task.original, task.retrained
    return task


@pytest.mark.parametrize(("candidate", "at_most"), [("first", 4.0), ("later", 1.0)])
def test_a_candidate_s_standard_release_audit_beside_one_retraining(benchmark, cache_dir, candidate, at_most):
    seeds = iter(range(100, 200))
    rounds = 1 if candidate == "first" else 3
    model = retrained(next(seeds))
    tasks = iter([task_of(cache_dir) for _ in range(rounds + 1)])
    if candidate == "first":
        next(tasks)
    else:
        audit_release(model, next(tasks))  # what references answer is kept from here on
    waiting = [retrained(next(seeds)) for _ in range(rounds)]
    times = {"audit": [], "retraining": []}

    def timed(name, function):
        start = time.process_time()
        found = function()
        times[name].append(time.process_time() - start)
        return found

    benchmark.pedantic(
        lambda: timed("audit", lambda: audit_release(waiting.pop(), next(tasks))),
        setup=lambda: timed("retraining", lambda: retrained(0)) and None,
        rounds=rounds,
    )
    ratio = float(np.median(times["audit"]) / np.median(times["retraining"]))
    benchmark.extra_info.update(
        work=f'"standard", {FORGET:,} forget, {CONTROLS:,} controls, CNN, references trained: {candidate} candidate',
        baseline="one retraining of 10 epochs", clock="CPU", measured=f"{ratio:.2f} times the time",
        target=f"at most {at_most:g} times the time",
    )  # fmt: skip
    assert ratio <= at_most


def test_audit_forgotten_alone_beside_one_retraining(benchmark, cache_dir):
    task, model = task_of(cache_dir), retrained(1)
    audit_forgotten(model, task.forget)
    compare(
        benchmark,
        ("audit_forgotten alone there, references answered before", lambda: audit_forgotten(model, task.forget)),
        ("one retraining of 10 epochs", lambda: retrained(0)),
        at_most=0.1,
        clock=time.process_time,
    )
