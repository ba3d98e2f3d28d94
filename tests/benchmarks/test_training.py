"""What trainings cost beside the loops that people write themselves."""

import contextlib
import subprocess
import sys
import time

import pytest

from pytest_unlearn import TorchRecipe
from pytest_unlearn.training import Job, train_all
from tests.benchmarks.comparison import compare
from tests.benchmarks.networks import NETWORKS, images, indexed_loop, plain_loop

pytestmark = pytest.mark.benchmark


class Resident:
    """A dataset that hands over all of its arrays at once, as views of a split do."""

    def __init__(self, x, y):
        self.x, self.y = x, y

    def __len__(self):
        return len(self.y)

    def arrays(self):
        return self.x, self.y


@pytest.mark.parametrize(("network", "at_least"), [("CNN", 1.0), ("MLP", 1.0)])
def test_a_training_is_never_slower_on_a_core_than_an_indexed_loop(benchmark, network, at_least):
    x, y = images(2_000)
    data, recipe = Resident(x.numpy(), y.numpy()), TorchRecipe(NETWORKS[network], epochs=1)
    compare(
        benchmark,
        (f"one training, {network}, one core", lambda: recipe(data, seed=0)),
        ("indexed loop, Adam, one thread", lambda: indexed_loop(NETWORKS[network], x, y, 1)),
        at_least=at_least,
        clock=time.process_time,
    )


def test_bfloat16_is_reported_apart(benchmark):
    x, y = images(2_000)
    data = Resident(x.numpy(), y.numpy())
    recipe, exact = (TorchRecipe(NETWORKS["CNN"], epochs=1, precision=name) for name in ("bf16", "float32"))
    compare(
        benchmark,
        ('one training, CNN, one core, precision="bf16"', lambda: recipe(data, seed=0)),
        ("the same in float32", lambda: exact(data, seed=0)),
        clock=time.process_time,
    )


@contextlib.contextmanager
def another_job():
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("network", "count", "epochs", "load", "at_least"),
    [
        ("CNN", 5_000, 5, False, 2.5),
        ("MLP", 10_000, 10, False, 2.5),
        ("CNN", 5_000, 5, True, 1.0),
        ("MLP", 10_000, 10, True, 1.0),
    ],
)
def test_thirty_two_references_on_two_cores(benchmark, network, count, epochs, load, at_least):
    x, y = images(count)
    data, recipe = Resident(x.numpy(), y.numpy()), TorchRecipe(NETWORKS[network], epochs=epochs)
    beside = ", beside another CPU job" if load else ""
    with another_job() if load else contextlib.nullcontext():
        compare(
            benchmark,
            (
                f"32 references, {network}, {count:,} images x {epochs} epochs, n_jobs=2{beside}",
                lambda: train_all([Job(recipe, data, k, f"{k}") for k in range(32)], store=None, n_jobs=2),
            ),
            (
                "plain loop: DataLoader, Adam, default threads (2 models, times 16)",
                lambda: [plain_loop(NETWORKS[network], x, y, epochs, seed) for seed in range(2)],
            ),
            at_least=at_least,
            scale=16,
        )
