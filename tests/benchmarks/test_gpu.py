"""What trainings cost on a GPU; without one these are skipped, and say so."""

import pytest
import torch

from pytest_unlearn import TorchRecipe
from tests.benchmarks.comparison import compare
from tests.benchmarks.networks import NETWORKS, images
from tests.benchmarks.test_training import Resident

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU that torch can use"),
]


@pytest.mark.parametrize("settings", [{}, {"precision": "bf16"}], ids=["float32", "bf16"])
def test_a_training_on_the_gpu_beside_one_core(benchmark, settings):
    x, y = images(5_000)
    data = Resident(x.numpy(), y.numpy())
    gpu, core = (TorchRecipe(NETWORKS["CNN"], epochs=2, device=device, **settings) for device in ("cuda", "cpu"))
    compare(
        benchmark,
        (f"one training, CNN, on a GPU {settings or ''}", lambda: gpu(data, seed=0)),
        ("the same on one core", lambda: core(data, seed=0)),
    )
