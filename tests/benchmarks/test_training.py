"""What trainings cost beside the loops that people write themselves."""

import time

import pytest

from pytest_unlearn import TorchRecipe
from tests.benchmarks.comparison import compare
from tests.benchmarks.networks import NETWORKS, images, indexed_loop

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
        at_least=0.0,
        clock=time.process_time,
    )
