"""On a GPU a recipe trains as it does on the processor; without one these tests are skipped, and say so."""

import pytest
import torch
from torch import nn

from pytest_unlearn import Split, TorchRecipe, UnlearningTask, audit_forgotten
from tests.unit.training.images import Images

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU that torch can use")


def network():
    return nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 64, 2))


@pytest.mark.parametrize(
    "settings", [{}, {"precision": "bf16"}, {"schedule": "cosine"}], ids=["plain", "bf16", "cosine"]
)
def test_the_same_seed_gives_the_same_model(settings):
    recipe = TorchRecipe(network, epochs=5, device="cuda", **settings)
    one, again, other = (recipe(Images(), seed=seed) for seed in (3, 3, 4))
    weights = [torch.nn.utils.parameters_to_vector(model.parameters()) for model in (one, again, other)]
    assert weights[0].device.type == "cuda"
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_an_audit_comes_to_the_verdict_that_the_processor_comes_to(tmp_path):
    data, test = Images(200), Images(400)
    split = Split((data.X.numpy(), data.y), forget=range(40), test=(test.X.numpy(), test.y))
    verdicts = []
    for device in ("cpu", "cuda"):
        recipe = TorchRecipe(network, epochs=10)
        task = UnlearningTask(split, recipe, references=2, cache_dir=tmp_path / device, device=device)
        verdicts.append(audit_forgotten(task.original, task.forget, max_mia_auc=0.7).verdict)
    assert verdicts[0] == verdicts[1]
