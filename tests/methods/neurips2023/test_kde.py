import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from scipy.stats import entropy as scipy_entropy
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, kl_div
from torch.utils.data import Dataset, TensorDataset

from tests.methods.closed_forms import linear
from tests.methods.neurips2023.digits import Recorder, changed, mislabelled, numbers, outcome
from unlearners._core.isolation import Unsupported
from unlearners._core.training import seeded
from unlearners.neurips2023.kde import KnowledgeDistillationEntropy, carve

Blobs = Callable[..., TensorDataset]
Unread = Dataset[tuple[Tensor, int]]
seeds = pytest.mark.parametrize("seed", range(3))


@seeds
def test_only_the_first_convolution_and_the_last_linear_layer_are_new(seed: int, unreadable: Unread) -> None:
    model, retain, _ = mislabelled(seed)
    unlearned = KnowledgeDistillationEntropy(epochs=0, warm_up_epochs=0)(model, retain, unreadable, seed=seed)
    assert changed(unlearned, model) == {"0.weight", "0.bias", "7.weight", "7.bias"}
    assert unlearned[0].weight.abs().max() <= 1 / 3
    assert unlearned[7].weight.abs().max() <= 1 / 128**0.5


@seeds
def test_in_other_networks_the_first_linear_or_recurrent_layer_is_new(
    seed: int, blobs: Blobs, unreadable: Unread
) -> None:
    method = KnowledgeDistillationEntropy(epochs=0, warm_up_epochs=0)
    model = nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3))
    unlearned = method(model, blobs(30, 0), unreadable, seed=seed)
    assert changed(unlearned, model) == {"0.weight", "0.bias", "4.weight", "4.bias"}


def literal(z: Tensor, teacher: Tensor, y: Tensor, t: float) -> Tensor:
    """Soft cross-entropy, cross-entropy and divergence, as the team wrote them."""
    target, own = torch.softmax(teacher / t, 1), torch.log_softmax(z / t, 1)
    soft = -(target * own).sum(1).mean()
    return soft + cross_entropy(z, y) + kl_div(own, target, reduction="batchmean")


@pytest.mark.parametrize("temperature", [1.0, 5.0])
@seeds
def test_a_step_of_the_second_stage_is_one_of_the_three_losses(
    seed: int, temperature: float, blobs: Blobs, unreadable: Unread
) -> None:
    retain, model = blobs(30, seed, dtype=torch.float64), linear(seed)
    settings = {"warm_up_epochs": 0, "warm_up_share": 0.0, "temperature": temperature, "lr": 0.5, "weight_decay": 0.1}
    start = KnowledgeDistillationEntropy(epochs=0, **settings)(model, retain, unreadable, seed=seed)
    unlearned = KnowledgeDistillationEntropy(epochs=1, **settings)(model, retain, unreadable, seed=seed)
    x, y = retain.tensors
    slopes = torch.autograd.grad(literal(start(x), model(x).detach(), y, temperature), list(start.parameters()))
    for new, old, slope in zip(unlearned.parameters(), start.parameters(), slopes, strict=True):
        torch.testing.assert_close(new, old - 0.5 * (slope + 0.1 * old), rtol=0, atol=1e-12)


@seeds
def test_a_step_of_the_warm_up_is_one_of_the_divergence_on_its_own_data(
    seed: int, blobs: Blobs, unreadable: Unread
) -> None:
    retain, model = blobs(30, seed, dtype=torch.float64), linear(seed)
    settings = {"epochs": 0, "warm_up_lr": 0.5, "warm_up_share": 0.3, "weight_decay": 0.1}
    start = KnowledgeDistillationEntropy(warm_up_epochs=0, **settings)(model, retain, unreadable, seed=seed)
    unlearned = KnowledgeDistillationEntropy(warm_up_epochs=1, **settings)(model, retain, unreadable, seed=seed)
    x = retain.tensors[0][carve(30, 0.3, seeded(seed))[0]]
    residual = (torch.softmax(start(x) / 5, 1) - torch.softmax(model(x) / 5, 1)).detach() / (5 * len(x))
    weight, bias = start.weight, start.bias
    torch.testing.assert_close(unlearned.weight, weight - 0.5 * (residual.T @ x + 0.1 * weight), rtol=0, atol=1e-12)
    torch.testing.assert_close(unlearned.bias, bias - 0.5 * (residual.sum(0) + 0.1 * bias), rtol=0, atol=1e-12)


@seeds
def test_the_distance_is_the_divergence_at_the_temperature(seed: int) -> None:
    teacher, student = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    p, q = (torch.softmax(z / 5, 1).numpy() for z in (teacher, student))
    ours = KnowledgeDistillationEntropy().distance(teacher, student).item()
    assert ours == pytest.approx(scipy_entropy(p, q, axis=1).mean(), rel=1e-10)


@seeds
def test_a_student_with_the_weights_of_its_teacher_has_nothing_to_learn(seed: int, blobs: Blobs) -> None:
    x, model = blobs(30, seed, dtype=torch.float64).tensors[0], linear(seed)
    distance = KnowledgeDistillationEntropy().distance(model(x).detach(), model(x))
    assert abs(distance.item()) < 1e-15
    assert all(slope.abs().max() < 1e-15 for slope in torch.autograd.grad(distance, list(model.parameters())))


@pytest.mark.parametrize(("n", "share", "size"), [(100, 0.1, 10), (100, 0.0, 0), (8, 0.1, 2), (4, 0.9, 2), (3, 0.5, 0)])
@seeds
def test_the_part_for_the_warm_up_is_disjoint_from_the_rest(seed: int, n: int, share: float, size: int) -> None:
    own, rest = carve(n, share, seeded(seed))
    assert len(own) == size
    assert sorted([*own.tolist(), *rest.tolist()]) == list(range(n))
    assert n < 100 or size == 0 or own.tolist() != carve(n, share, seeded(seed + 1))[0].tolist()


def test_the_stages_never_share_an_example() -> None:
    method = KnowledgeDistillationEntropy(epochs=2, warm_up_epochs=3, warm_up_share=0.4, batch_size=50)
    method(Recorder(), numbers(0, 20), numbers(100, 6), seed=3)
    assert [len(batch) for batch in Recorder.seen] == [8, 8, 8, 12, 12]
    warm_up, rest = ({i for batch in part for i in batch} for part in (Recorder.seen[:3], Recorder.seen[3:]))
    assert len(warm_up) == 8
    assert len(rest) == 12
    assert warm_up | rest == set(range(20))


def test_memorised_labels_are_forgotten_and_the_rest_is_kept() -> None:
    kept, gone = outcome(KnowledgeDistillationEntropy(lr=0.05, warm_up_lr=0.03, epochs=4, batch_size=32))
    assert kept > 0.9
    assert gone < 0.35


def test_a_network_that_does_not_end_in_a_linear_layer_is_refused(blobs: Blobs, unreadable: Unread) -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.Tanh())
    with pytest.raises(Unsupported, match="KnowledgeDistillationEntropy needs a network that ends in an nn.Linear"):
        KnowledgeDistillationEntropy()(model, blobs(30, 0), unreadable, seed=3)


@pytest.mark.parametrize(
    ("field", "value"), [("warm_up_epochs", -1), ("warm_up_lr", math.nan), ("warm_up_share", 1.0), ("temperature", 0.0)]
)
def test_hyper_parameters_are_checked(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=field):
        KnowledgeDistillationEntropy(**{field: value})
