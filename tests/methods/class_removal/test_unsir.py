import math
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import Subset, TensorDataset

from unlearners import FineTune, Unsupported
from unlearners.class_removal.unsir import UNSIR, some_of_each

Blobs = Callable[..., TensorDataset]


def trained(data: TensorDataset, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    size, classes = data.tensors[0].shape[1], int(data.tensors[1].max()) + 1
    model = nn.Sequential(nn.Linear(size, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, classes))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        cross_entropy(model(data.tensors[0]), data.tensors[1]).backward()
        optimizer.step()
    return model.eval()


@cache
def digits() -> TensorDataset:
    x, y = load_digits(return_X_y=True)
    return TensorDataset(torch.tensor(x / 16, dtype=torch.float32), torch.tensor(y))


def by_class(data: TensorDataset, gone: set[int]) -> tuple[TensorDataset, TensorDataset]:
    x, y = data.tensors
    mask = torch.tensor([int(label) in gone for label in y])
    return TensorDataset(x[~mask], y[~mask]), TensorDataset(x[mask], y[mask])


def accuracy(model: nn.Module, data: TensorDataset) -> float:
    x, y = data.tensors
    return float((model(x).argmax(1) == y).double().mean())


def same(a: nn.Module, b: nn.Module) -> bool:
    return all(map(torch.equal, a.state_dict().values(), b.state_dict().values()))


@pytest.mark.parametrize("seed", range(5))
def test_impairing_breaks_the_class_and_repairing_mends_the_others(seed: int) -> None:
    """With the learning rates of the authors' notebook."""
    retain, forget = by_class(digits(), {3})
    model = trained(digits(), seed)
    impaired = UNSIR(lr=0.02, repair_epochs=0)(model, retain, forget, seed=seed)
    repaired = UNSIR(lr=0.02, repair_lr=0.01)(model, retain, forget, seed=seed)
    tuned = FineTune(epochs=1, lr=0.02, optimizer="adam", weight_decay=0)(model, retain, forget, seed=seed)
    assert accuracy(model, forget) > 0.95
    assert accuracy(impaired, forget) < 0.1
    assert accuracy(impaired, forget) < accuracy(tuned, forget)
    assert accuracy(repaired, forget) < 0.1
    assert accuracy(repaired, retain) > accuracy(impaired, retain)
    assert accuracy(repaired, retain) > 0.9


def test_the_repair_has_its_own_learning_rate() -> None:
    retain, forget = by_class(digits(), {3})
    model = trained(digits(), 0)
    unrepaired = UNSIR(lr=0.02, repair_epochs=0)(model, retain, forget, seed=3)
    still, moved = (UNSIR(lr=0.02, repair_lr=lr)(model, retain, forget, seed=3) for lr in (0.0, 0.01))
    assert all(map(torch.equal, still.parameters(), unrepaired.parameters()))
    assert not torch.equal(moved[0].weight, unrepaired[0].weight)


@pytest.mark.parametrize("seed", range(3))
def test_noise_is_worse_than_chance_and_worse_with_every_step(seed: int) -> None:
    """The steps are seen through the draw, which is the same for any number of them."""
    model, x = trained(digits(), seed), digits().tensors[0]

    def noise(steps: int, penalty: float = 0.0) -> Tensor:
        method = UNSIR(noise_steps=steps, noise_penalty=penalty, noise_size=40)
        made, labels = method.noise(model, x, 1, torch.Generator().manual_seed(seed))
        assert labels.tolist() == [1] * 40
        return made

    losses = [cross_entropy(model(noise(steps)), torch.ones(40).long()).item() for steps in (0, 5, 25)]
    assert losses[0] + 0.2 < losses[1] < losses[2]
    assert noise(0).shape == (40, 64)
    assert abs(noise(0).std().item() - 1) < 0.1
    # The penalty holds the noise back.
    assert noise(25, penalty=10.0).norm() < 0.5 * noise(25).norm()


def test_noise_takes_the_steps_of_adam_on_its_objective() -> None:
    """For a linear model the gradient is known, and Adam's first step is lr times its sign."""
    model = nn.Linear(4, 3)
    like, size = torch.zeros(1, 4), 6
    first, after = (
        UNSIR(noise_steps=steps, noise_lr=0.1, noise_penalty=0.1, noise_size=size).noise(
            model, like, 2, torch.Generator().manual_seed(0)
        )[0]
        for steps in (0, 1)
    )
    residual = torch.softmax(model(first), 1) - torch.eye(3)[2]
    slope = (-residual @ model.weight + 0.1 * 2 * first).detach() / size
    torch.testing.assert_close(after, first - 0.1 * slope.sign(), rtol=0, atol=1e-4)
    assert all(p.grad is None for p in model.parameters())


def test_forget_inputs_are_never_read() -> None:
    retain, forget = by_class(digits(), {1})
    hidden = [(None, int(label)) for label in forget.tensors[1]]
    method, model = UNSIR(lr=0.01), trained(digits(), 0)
    assert same(method(model, retain, hidden, seed=3), method(model, retain, forget, seed=3))


def test_impairing_sees_noise_as_the_class_and_a_subset_of_each_other_class(blobs: Blobs) -> None:
    seen: list[tuple[Tensor, Tensor]] = []
    inputs: list[Tensor] = []
    data = blobs(90, 0)
    retain, forget = by_class(data, {0, 2})
    model = nn.Linear(4, 3)
    model.register_forward_pre_hook(
        lambda module, args: inputs.append(args[0]) if module.weight.requires_grad and torch.is_grad_enabled() else None
    )

    def recording(logits: Tensor, y: Tensor) -> Tensor:
        if logits.requires_grad and inputs:
            seen.append((inputs.pop().detach().clone(), y))
        return cross_entropy(logits, y)

    method = UNSIR(samples_per_class=7, noise_size=5, batch_size=1000, loss=recording, epochs=2, repair_epochs=3)
    method(model, retain, forget, seed=3)
    trained_on = [(len(y), torch.bincount(y, minlength=3).tolist()) for _, y in seen]
    assert trained_on == [(17, [5, 7, 5])] * 2 + [(7, [0, 7, 0])] * 3
    kept = {tuple(row) for row in retain.tensors[0].tolist()}
    for x, y in seen:
        for row, label in zip(x.tolist(), y.tolist(), strict=True):
            assert (tuple(row) in kept) == (label == 1)


def test_the_subset_is_a_random_draw_without_repetition() -> None:
    data = torch.arange(60.0)[:, None], torch.arange(60) % 3
    drawn = [some_of_each(data, 8, torch.Generator().manual_seed(seed)) for seed in range(40)]
    for x, y in drawn:
        assert torch.bincount(y).tolist() == [8, 8, 8]
        assert len(x.unique()) == 24
        assert torch.equal(x[:, 0].long() % 3, y)
    # Each of the 20 members of a class is left out of all forty draws with probability 0.6^40.
    assert len(torch.cat([x for x, _ in drawn]).unique()) == 60
    assert len(some_of_each(data, 100, torch.Generator())[0]) == 60


def test_only_whole_classes_of_continuous_inputs_and_several_logits(blobs: Blobs) -> None:
    data = blobs(30, 0)
    retain, forget = by_class(data, {1})
    with pytest.raises(Unsupported, match=r"UNSIR removes whole classes.*\(0, 1\)"):
        UNSIR()(nn.Linear(4, 3), Subset(data, range(8, 30)), Subset(data, [0, 1]), seed=3)
    tokens = TensorDataset(torch.zeros(20, 5).long(), retain.tensors[1])
    with pytest.raises(Unsupported, match="needs floating-point x"):
        UNSIR()(nn.Embedding(3, 3), tokens, forget, seed=3)
    with pytest.raises(Unsupported, match="one logit a class"):
        UNSIR()(nn.Linear(4, 1), retain, forget, seed=3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"repair_epochs": -1},
        {"repair_lr": math.nan},
        {"samples_per_class": 0},
        {"noise_size": 0},
        {"noise_steps": -1},
        {"noise_lr": -1.0},
        {"noise_penalty": math.nan},
    ],
    ids=str,
)
def test_hyper_parameters_are_checked_where_they_are_given(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        UNSIR(**wrong)
