from collections.abc import Callable
from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from unlearners import FineTune, NegGradPlus

Blobs = Callable[..., TensorDataset]


def gradients(model: nn.Linear, data: TensorDataset) -> tuple[Tensor, Tensor]:
    """Of the mean cross-entropy of a linear model, in weight and bias."""
    x, y = data.tensors
    residual = (torch.softmax(model(x), 1) - torch.eye(3, dtype=x.dtype)[y]).detach() / len(y)
    return residual.T @ x, residual.sum(0)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.95])
def test_one_step_is_the_closed_form(alpha: float, blobs: Blobs) -> None:
    retain, forget = blobs(30, 0, dtype=torch.float64), blobs(9, 1, dtype=torch.float64)
    model = nn.Linear(4, 3).double()
    unlearned = NegGradPlus(alpha=alpha, epochs=1, lr=0.3, batch_size=30, forget_batch_size=9)(
        model, retain, forget, seed=3
    )
    for new, old, kept, gone in zip(
        unlearned.parameters(), model.parameters(), gradients(model, retain), gradients(model, forget), strict=True
    ):
        torch.testing.assert_close(new, old - 0.3 * (alpha * kept - (1 - alpha) * gone), rtol=0, atol=1e-12)


def test_with_alpha_one_it_is_fine_tuning_bit_for_bit(blobs: Blobs) -> None:
    retain, forget = blobs(30, 0), blobs(9, 1)
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3))
    settings = {"epochs": 3, "lr": 0.1, "batch_size": 8, "weight_decay": 1e-3, "momentum": 0.9}
    tuned = FineTune(**settings, schedule="constant")(model, retain, forget, seed=3)
    limit, not_limit = (NegGradPlus(**settings, alpha=a, anchor=0)(model, retain, forget, seed=3) for a in (1.0, 0.9))
    for name, tensor in tuned.state_dict().items():
        assert torch.equal(limit.state_dict()[name], tensor)
    assert not torch.equal(not_limit[0].weight, tuned[0].weight)


def test_forget_batches_cycle_through_every_example() -> None:
    """Six retain batches and a forget set of two: each forget example is read three times in the epoch."""
    seen: list[int] = []

    class Recorder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(1, 2)

        def forward(self, x: Tensor) -> Tensor:
            seen.extend(x.flatten().int().tolist())
            return self.linear(x)

    def numbers(first: int, n: int) -> TensorDataset:
        return TensorDataset(torch.arange(first, first + n).float()[:, None], torch.zeros(n, dtype=torch.long))

    NegGradPlus(epochs=1, lr=1e-9, batch_size=1, forget_batch_size=1)(
        Recorder(), numbers(0, 6), numbers(100, 2), seed=3
    )
    del seen[12:]  # what follows is the look at the finished model
    assert sorted(seen) == [0, 1, 2, 3, 4, 5, 100, 100, 100, 101, 101, 101]


def test_the_anchor_pulls_each_weight_back_to_the_original(blobs: Blobs) -> None:
    """A second step, from where the first has led: by alpha * anchor of the way that it is away."""
    retain, forget = blobs(30, 0, dtype=torch.float64), blobs(9, 1, dtype=torch.float64)
    model = nn.Linear(4, 3).double()
    settings = {"alpha": 0.8, "lr": 0.3, "batch_size": 30, "forget_batch_size": 9}
    first = NegGradPlus(epochs=1, **settings)(model, retain, forget, seed=3)
    free, held = (NegGradPlus(epochs=2, anchor=a, **settings)(model, retain, forget, seed=3) for a in (0.0, 0.7))
    for start, one, without, anchored in zip(*(m.parameters() for m in (model, first, free, held)), strict=True):
        torch.testing.assert_close(anchored, without - 0.3 * 0.8 * 0.7 * (one - start), rtol=0, atol=1e-12)


@pytest.mark.parametrize("statistics", ["authors", "running"])
@pytest.mark.parametrize("alpha", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("lr", [0.1, 10.0, 1e30])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_answers_are_finite_whatever_the_settings(statistics: str, alpha: float, lr: float, blobs: Blobs) -> None:
    retain, forget = blobs(60, 0), blobs(30, 1)
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))
    method = NegGradPlus(alpha=alpha, lr=lr, momentum=0.9, anchor=0.0, batch_size=16, batch_statistics=statistics)
    unlearned = method(model, retain, forget, seed=3).eval()
    assert all(bool(unlearned(data.tensors[0]).isfinite().all()) for data in (retain, forget))


def test_running_statistics_do_not_move_in_eval_mode(blobs: Blobs) -> None:
    model = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 3))
    still, moved = (
        NegGradPlus(epochs=1, batch_statistics=s)(model, blobs(30, 0), blobs(9, 1), seed=3)
        for s in ("running", "authors")
    )
    assert torch.equal(still[0].running_mean, model[0].running_mean)
    assert not torch.equal(moved[0].running_mean, model[0].running_mean)


@pytest.mark.parametrize("alpha", [-0.1, 1.1, float("nan")])
def test_alpha_is_a_weight(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha"):
        NegGradPlus(alpha=alpha)


@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_authors_loop(seed: int, blobs: Blobs) -> None:
    """Train mode, `zip(retain, cycle(forget))` anew in each epoch, a step on alpha * L_retain - (1 - alpha) * L_forget.

    `itertools.cycle` keeps the batches of its first pass: the forget set is shuffled once an epoch.
    """
    retain, forget = blobs(60, seed, dtype=torch.float64), blobs(21, seed + 50, dtype=torch.float64)
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3)).double()
    unlearned = NegGradPlus(epochs=3, lr=0.1, alpha=0.75, anchor=0, batch_size=8, forget_batch_size=5)(
        model, retain, forget, seed=seed
    )
    order, theirs = torch.Generator().manual_seed(seed), deepcopy(model).train()
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.1)
    for _ in range(3):
        kept = torch.randperm(60, generator=order).split(8)
        gone: list[Tensor] = []
        for i, rows in enumerate(kept):
            if not gone:  # drawn when the first batch is asked for, and kept
                gone = [*torch.randperm(21, generator=order).split(5)]
                gone[-2:] = [torch.cat(gone[-2:])]  # BatchNorm cannot train on the last one alone
            away = gone[i % len(gone)]
            losses = [
                nn.functional.cross_entropy(theirs(x[part]), y[part])
                for (x, y), part in ((retain.tensors, rows), (forget.tensors, away))
            ]
            optimizer.zero_grad()
            (0.75 * losses[0] - 0.25 * losses[1]).backward()
            optimizer.step()
    for ours, expected in zip(unlearned.state_dict().values(), theirs.state_dict().values(), strict=True):
        torch.testing.assert_close(ours, expected, rtol=0, atol=1e-10)
